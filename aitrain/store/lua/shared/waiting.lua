-- What waits: QUEUED jobs stand in lines, one for each flavor, number of units and project. A retry whose time lies ahead
-- stands among the retries only, until promote_due has it line up.

-- Parts the priority in a score from the time, in ms, from which a job waits: both are exact in a double.
local PRIORITY_SPAN = 1e13
local MOST_PROMOTED = 100

-- Keeps the index of the lines, which spares placement a look into each of them.
local function note_line(job)
  local line, name = k_line(job.flavor, job.units, job.project), job.units .. '/' .. job.project
  local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
  if first[1] then
    local last = redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')
    redis.call('HSET', k_lines(job.flavor), name, int(first[2]) .. ' ' .. int(last[2]) .. ' ' .. first[1])
  else
    redis.call('HDEL', k_lines(job.flavor), name)
  end
end

local function line_up(id, job, from_ms)
  redis.call('ZADD', k_line(job.flavor, job.units, job.project), int((100 - job.priority) * PRIORITY_SPAN + from_ms), id)
  note_line(job)
end

local function wait_in_line(id, job, pause_ms)
  if pause_ms and pause_ms > 0 then
    redis.call('ZADD', k_retries(), int(NOW + pause_ms), id)
  else
    line_up(id, job, NOW)
  end
end

-- Gives a host up that is kept for a job.
local function drop_keep(id, flavor, host)
  if redis.call('HGET', k_kept(flavor), host) == id then redis.call('HDEL', k_kept(flavor), host) end
  redis.call('HDEL', k_job(id), 'kept_host')
end

-- Returns whether a host was kept for it until now.
local function leave_line(id, job)
  if redis.call('ZREM', k_line(job.flavor, job.units, job.project), id) == 1 then
    note_line(job)
  else
    redis.call('ZREM', k_retries(), id)
  end
  if not job.kept_host then return false end
  drop_keep(id, job.flavor, job.kept_host)
  job.kept_host = nil
  return true
end

-- Has retries line up whose pause is over. Returns how many.
local function promote_due()
  local due = redis.call('ZRANGEBYSCORE', k_retries(), '-inf', int(NOW), 'WITHSCORES', 'LIMIT', 0, MOST_PROMOTED)
  for i = 1, #due, 2 do
    local held = redis.call('HMGET', k_job(due[i]), 'flavor', 'units', 'project', 'priority')
    redis.call('ZREM', k_retries(), due[i])
    line_up(due[i], {flavor = held[1], units = held[2], project = held[3], priority = held[4]}, tonumber(due[i + 1]))
  end
  return #due / 2
end

-- In how many lines jobs wait for what a move may have freed, and how many retries may have come to. 0: nothing waits.
local function waiting_count(flavor)
  return redis.call('HLEN', k_lines(flavor)) + redis.call('ZCOUNT', k_retries(), '-inf', int(NOW))
end
