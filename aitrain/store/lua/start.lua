-- Queues an ended job again: same id, next attempt, its quota looked at as for a new one.
-- ARG: id, op, token, message.
-- Returns {done, state, why} or {refused, limit, used, project, kind, units}.
local job = read_job(ARG.id)
if not job then return told(false, nil, 'unknown') end
if job.start_op == ARG.op then return told(true, job) end -- whatever has become of it since
if not STATES[job.state].ended then return told(false, job, 'alive') end
local over = over_quota(job, tonumber(job.units))
if over then
  over.project, over.kind, over.units = job.project, job.kind, tonumber(job.units)
  return reply(over)
end
redis.call('HSET', k_job(ARG.id), 'start_op', ARG.op)
move(ARG.id, job, 'QUEUED', {
  op = ARG.op, message = ARG.message, token = ARG.token, again = 'restart', attempt_message = job.message or '',
})
return told(true, job)
