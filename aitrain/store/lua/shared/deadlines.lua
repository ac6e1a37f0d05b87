-- When the timeout of a running job is reached.

local function set_deadline(id, job, running_ms)
  if tonumber(job.timeout_s) > 0 then
    local deadline = int(running_ms + job.timeout_s * 1000)
    redis.call('HSET', K.job(id), 'deadline_ms', deadline)
    redis.call('ZADD', K.deadlines(), deadline, id)
  else -- it runs until it is done or stopped
    redis.call('HDEL', K.job(id), 'deadline_ms')
    redis.call('ZREM', K.deadlines(), id)
  end
end
