-- Queues an ended job again: same id, next attempt, its project's budget and quota looked at as for a new one.
-- ARG: id, op, token, message.
-- Returns {done, state, why} or {refused, ...} (see shared/quota.lua and budget.lua).
local job = read_job(ARG.id)
if not job then return told(false, nil, 'unknown') end
if job.start_op == ARG.op then return told(true, job) end -- whatever has become of it since
if not STATES[job.state].ended then return told(false, job, 'alive') end
local over = over_budget(job, 0) or (not holds_over_quota(job.project) and over_quota(job))
if over then return reply(over) end
if is_to_hold(job) then job.held = 'quota' end
redis.call('HSET', K.job(ARG.id), 'start_op', ARG.op)
move(ARG.id, job, 'QUEUED', {
  op = ARG.op, message = ARG.message, token = ARG.token, again = 'restart', attempt_message = job.message or '',
})
if job.held then let_in(job.project, job.kind) end
return told(true, job)
