-- Records that a RUNNING job is watched by its host's agent: the monitor step has no more work, and is not due again.
-- ARG: id, fence, holder.
-- Returns {done}.
local job = read_job(ARG.id)
local done = job ~= nil and job.fence == ARG.fence and job.state == 'RUNNING' and job.lease_holder == ARG.holder
if done then redis.call('HDEL', K.job(ARG.id), 'lease_holder', 'lease_ms', 'due_ms') end
return reply({done = done})
