-- Orders a job to stop. A job that waits ends at once; one on a host is told by its agent's next heartbeat.
-- ARG: id, op, message.
-- Returns {state, moved}, state null if there is no such job. moved = false: it was ending or had ended already.
local job = read_job(ARG.id)
if not job then return reply({state = cjson.null, moved = false}) end
if job.last_op == ARG.op then return reply({state = job.state, moved = true}) end
local to = job.state == 'QUEUED' and 'INTERRUPTED' or 'INTERRUPTING'
-- Whoever stops a job does not want to see it queued again by its auto-restart, also when it is ending already.
if STATES[job.state].on_host then redis.call('HSET', k_job(ARG.id), 'auto_restart', '0') end
if not MOVES[job.state][to] then return reply({state = job.state, moved = false}) end
move(ARG.id, job, to, {op = ARG.op, cause = 'STOPPED', message = ARG.message})
return reply({state = job.state, moved = true})
