-- Deletes an ended job: all but its rows in the ledger. With force, one that has not ended is stopped, and goes when it has.
-- ARG: id, op, force, message.
-- Returns {done, state, why}. why = 'stopping': it goes when it has ended. A job that is gone already: 'unknown'.
local job = read_job(ARG.id)
if not job then
  local gone = redis.call('HGET', K.job(ARG.id), 'last_op') == ARG.op
  return told(gone, nil, not gone and 'unknown' or nil)
end
if STATES[job.state].ended then
  redis.call('HSET', K.job(ARG.id), 'last_op', ARG.op)
  erase(ARG.id, job)
  return told(true, job)
end
if not ARG.force then return told(false, job, 'alive') end
redis.call('HSET', K.job(ARG.id), 'delete_asked', '1', 'stop_asked', '1')
job.delete_asked = '1'
local to = job.state == 'QUEUED' and 'INTERRUPTED' or 'INTERRUPTING'
if MOVES[job.state][to] then move(ARG.id, job, to, {op = ARG.op, cause = 'STOPPED', message = ARG.message}) end
if STATES[job.state].ended then return told(true, job) end
stop_eviction(ARG.id, job, ARG.message)
return told(false, job, 'stopping')
