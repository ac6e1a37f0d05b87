-- Gives a worker the lease on an ordered copy, if the order is open, its attempt runs, and nobody else is at it.
-- ARG: id, fence, copy (id of the order), holder, host and instance (the worker's), ttl_ms.
-- Returns {begun, job, copy}: the fields of both, if begun. begun = false: an old or doubled message, or another is at it.
local job, copy = read_job(ARG.id), read_copy(ARG.id)
local begun = job ~= nil and copy ~= nil and job.copying ~= nil and copy.id == ARG.copy and job.state == 'RUNNING'
  and job.fence == ARG.fence and copy.fence == ARG.fence and job.host == ARG.host
  and redis.call('HGET', K.host(ARG.host), 'instance') == ARG.instance
  and (copy.holder == ARG.holder or not lease_is_live(copy))
if not begun then return reply({begun = false}) end
redis.call('HSET', K.copy(ARG.id), 'state', 'WORKING', 'holder', ARG.holder, 'lease_ms', int(NOW + ARG.ttl_ms))
redis.call('HDEL', K.copy(ARG.id), 'resends')
redis.call('HSET', K.job(ARG.id), 'copy_due_ms', int(NOW + ARG.ttl_ms))
return reply({begun = true, job = job, copy = read_copy(ARG.id)})
