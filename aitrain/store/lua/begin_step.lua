-- Gives a step the lease on its work, if the job is where the step belongs and nobody else holds it.
-- ARG: id, fence, state (the step's), holder, host and instance (the worker's), ttl_ms.
-- Returns {begun, state, job, age_ms (since the job came to its state)}. begun = false: an old or doubled message, or another worker is at it.
-- job: the fields of its hash, if begun.
local job = read_job(ARG.id)
if not job then return reply({begun = false, state = cjson.null}) end
local begun = job.fence == ARG.fence and job.state == ARG.state and job.host == ARG.host
  and redis.call('HGET', K.host(ARG.host), 'instance') == ARG.instance
  and (job.lease_holder == ARG.holder or not lease_is_live(job))
if begun then
  redis.call('HSET', K.job(ARG.id), 'lease_holder', ARG.holder, 'lease_ms', int(NOW + ARG.ttl_ms),
    'due_ms', int(NOW + ARG.ttl_ms))
  redis.call('HDEL', K.job(ARG.id), 'resends')
end
return reply({begun = begun, state = job.state, job = begun and job or nil, age_ms = NOW - job.state_ms})
