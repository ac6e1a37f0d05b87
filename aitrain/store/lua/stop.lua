-- Orders a job to stop. A job that waits ends at once; one on a host is told by its agent's next heartbeat. One that is
-- being evicted stops for good.
-- ARG: id, op, message.
-- Returns {done, state, why}.
local job = read_job(ARG.id)
if not job then return told(false, nil, 'unknown') end
if job.stop_op == ARG.op then return told(true, job) end
-- Whoever stops a job does not want to see it run again by its auto-restart or a retry, also when it is ending already.
if not STATES[job.state].ended then redis.call('HSET', K.job(ARG.id), 'stop_asked', '1') end
local to = job.state == 'QUEUED' and 'INTERRUPTED' or 'INTERRUPTING'
if stop_eviction(ARG.id, job, ARG.message) then
  redis.call('HSET', K.job(ARG.id), 'stop_op', ARG.op)
  return told(true, job)
end
if not MOVES[job.state][to] then return told(false, job, STATES[job.state].ended and 'ended' or 'ending') end
redis.call('HSET', K.job(ARG.id), 'stop_op', ARG.op)
move(ARG.id, job, to, {op = ARG.op, cause = 'STOPPED', message = ARG.message})
return told(true, job)
