-- Quotas: what a project's jobs may hold at once, of each kind: units of 'gpu' and 'cpu', the
-- number of 'jobs'; and what is cached of its data on all hosts, in bytes of 'cache'.

-- What a job holds, in the order in which it is looked at.
local function quota_asked(job) return {{job.kind, tonumber(job.units)}, {'jobs', 1}} end

local function quota_field(project, kind) return project .. '/' .. kind end

-- A job begins (1) or ceases (-1) to count.
local function count_quota(job, sign)
  for _, ask in ipairs(quota_asked(job)) do
    redis.call('HINCRBY', K.quota_used(), quota_field(job.project, ask[1]), int(sign * ask[2]))
  end
end

-- Whether a job that does not count yet may: nil, or which limit is in the way, and what is in use.
local function over_quota(job)
  for _, ask in ipairs(quota_asked(job)) do
    local field = quota_field(job.project, ask[1])
    local limit = tonumber(redis.call('HGET', K.quota_limit(), field) or '-1')
    local used = tonumber(redis.call('HGET', K.quota_used(), field) or '0')
    if limit >= 0 and used + ask[2] > limit then
      return {refused = 'quota', project = job.project, kind = ask[1], limit = limit, used = used, asked = ask[2]}
    end
  end
end

-- Whether a project's jobs over its quota are held instead of refused.
local function holds_over_quota(project)
  return (redis.call('HGET', K.over_quota(), project) or ARG.over_quota) == 'hold'
end

-- Bytes of a project in the caches of the hosts that there are, and what these are about to add.
local function cached_bytes(project)
  local sum = 0
  for _, key in ipairs({K.cached(project), K.caching(project)}) do
    local flat = redis.call('HGETALL', key)
    for i = 1, #flat, 2 do
      if redis.call('ZSCORE', K.hosts(), flat[i]) then sum = sum + tonumber(flat[i + 1]) end
    end
  end
  return sum
end
