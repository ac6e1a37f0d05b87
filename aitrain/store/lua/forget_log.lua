-- Nothing of a log lies in the object store any more: nothing of it stays here but that it went, until its job does.
-- ARG: id, attempt. Returns {}.
redis.call('DEL', K.log(ARG.id, ARG.attempt), K.log_ring(ARG.id, ARG.attempt))
redis.call('ZREM', K.log_ends(), ARG.id .. '/' .. ARG.attempt)
if read_job(ARG.id) then redis.call('HSET', K.log(ARG.id, ARG.attempt), 'gone', '1') end
return reply({})
