-- Evictions: what runs on a host, or on one of its units, is stopped there so that it runs elsewhere.

-- Stops a job to have it run elsewhere, unless it is ending already. An order to stop it that comes later wins.
local function evict(id, job, why)
  if job.state == 'RUNNING' and job.deadline_ms and tonumber(job.deadline_ms) <= NOW then return time_out(id, job) end
  if not MOVES[job.state].INTERRUPTING then return end
  redis.call('HSET', K.job(id), 'evicting', '1')
  job.evicting = '1'
  move(id, job, 'INTERRUPTING', {code = 'JOB_EVICTED', message = why})
end

-- Somebody stops a job that is being evicted: from now on it is one that was stopped. Returns whether that was so.
local function stop_eviction(id, job, message)
  if job.state ~= 'INTERRUPTING' or job.evicting ~= '1' then return false end
  redis.call('HDEL', K.job(id), 'evicting')
  redis.call('HSETNX', K.job(id), 'end_cause', 'STOPPED')
  redis.call('HSET', K.job(id), 'code', STATES.INTERRUPTING.code, 'message', message)
  return true
end

-- When a host's next drain is due, its own or a unit's, in the index of those that are.
local function set_next_drain(host)
  local next_ms = math.huge
  local function look(drain_ms)
    if drain_ms and tonumber(drain_ms) > NOW then next_ms = math.min(next_ms, tonumber(drain_ms)) end
  end
  look(redis.call('HGET', K.host(host), 'drain_ms'))
  for _, text in ipairs(redis.call('HVALS', K.host_aside(host))) do look(cjson.decode(text).drain_ms) end
  if next_ms < math.huge then
    redis.call('ZADD', K.drains(), int(next_ms), host)
  else
    redis.call('ZREM', K.drains(), host)
  end
end

-- Why a job has to leave, for people. what: the host, or its unit; by, reason: '' if not given.
local function drained(what, by, reason)
  return what .. ' is drained' .. (by ~= '' and ' by ' .. by or '') .. (reason ~= '' and ': ' .. reason or '')
end

-- Evicts the jobs of a host, or of units of it, whose drain has reached its deadline. Returns their ids.
local function evict_due(host)
  local function is_due(drain_ms) return drain_ms and tonumber(drain_ms) > 0 and tonumber(drain_ms) <= NOW end
  local evicted = {}
  local function leave(id, why)
    local job = read_job(id)
    if not job then return end
    local before = job.state
    evict(id, job, why)
    if job.state ~= before then evicted[#evicted + 1] = id end
  end
  local of_host = redis.call('HMGET', K.host(host), 'drain_ms', 'cordon_by', 'cordon_reason')
  if is_due(of_host[1]) then
    local why = drained('host ' .. host, of_host[2] or '', of_host[3] or '')
    for _, id in ipairs(redis.call('SMEMBERS', K.host_jobs(host))) do leave(id, why) end
  end
  local flat = redis.call('HGETALL', K.host_aside(host))
  for i = 1, #flat, 2 do
    local entry = cjson.decode(flat[i + 1])
    if is_due(entry.drain_ms) then
      local flavor, unit = flat[i]:match('^([^/]*)/(.*)$')
      local id = redis.call('HGET', K.host_units(host, flavor), unit)
      local why = drained('unit ' .. unit .. ' of host ' .. host, entry.operator_by, entry.operator)
      if id and id ~= '' and id ~= ASIDE then leave(id, why) end
    end
  end
  set_next_drain(host)
  return evicted
end
