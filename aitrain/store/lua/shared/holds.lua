-- Held jobs: QUEUED, but out of the count and in no line, until their project's quota and budget have room for them. They
-- are let in by priority, then by arrival, each kind of unit for itself: a small job does not pass a large one.

-- So many in one script; the sweep lets in what is left.
local MOST_LET_IN = 50
local HELD_KINDS = {'gpu', 'cpu'}

-- why: 'quota' or 'budget'. since_ms: its arrival.
local function hold(id, job, why, since_ms)
  job.held = why
  redis.call('HSET', K.job(id), 'held', why)
  redis.call('ZADD', K.held(job.project, job.kind), int((100 - job.priority) * PRIORITY_SPAN + since_ms), id)
  redis.call('SADD', K.held_kinds(), quota_field(job.project, job.kind))
end

local function end_hold(id, job)
  redis.call('HDEL', K.job(id), 'held')
  job.held = nil
  redis.call('ZREM', K.held(job.project, job.kind), id)
  if redis.call('EXISTS', K.held(job.project, job.kind)) == 0 then
    redis.call('SREM', K.held_kinds(), quota_field(job.project, job.kind))
  end
end

-- Whether a job that is to be QUEUED has to be held: there is no room, or others of its kind are held before it. Whoever
-- holds it lets in afterwards, for it may be the first.
local function is_to_hold(job)
  return holds_over_quota(job.project)
    and (over_quota(job) ~= nil or redis.call('EXISTS', K.held(job.project, job.kind)) == 1)
end

-- What keeps a held job out now, if anything does.
local function in_the_way(job) return over_quota(job) or over_budget(job, 0) end

-- Lets held jobs of a kind in, as far as there is room. Returns how many.
local function let_in(project, kind)
  local count = 0
  while count < MOST_LET_IN do
    local id = redis.call('ZRANGE', K.held(project, kind), 0, 0)[1]
    local job = id and read_job(id)
    if not job or in_the_way(job) then break end
    end_hold(id, job)
    count_quota(job, 1)
    redis.call('SADD', K.live(project), id)
    keep_aside(id, job)
    -- It has waited since it came, or has to wait until its retry's time.
    local from_ms = tonumber(job.not_before_ms or job.state_ms)
    if from_ms > NOW then redis.call('ZADD', K.retries(), int(from_ms), id) else line_up(id, job, from_ms) end
    count = count + 1
  end
  if count > 0 then ask_for_pass() end
  return count
end

-- Takes a job that counts and waits out of both.
local function hold_waiting(id, job, why, since_ms)
  leave_line(id, job)
  count_quota(job, -1)
  redis.call('SREM', K.live(job.project), id)
  hold(id, job, why, since_ms)
  keep_aside(id, job)
end

local function let_in_all(project)
  for _, kind in ipairs(HELD_KINDS) do let_in(project, kind) end
end

-- Of a held job: why (the limit in its way, absent if only others before it are), its turn among those of its kind.
local function held_view(id, job)
  return {
    state = job.state, held = job.held, since_ms = tonumber(job.state_ms), over = in_the_way(job) or cjson.null,
    position = redis.call('ZRANK', K.held(job.project, job.kind), id) + 1,
  }
end
