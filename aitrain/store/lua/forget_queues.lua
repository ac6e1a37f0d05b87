-- The queues of a removed host are empty and gone: nothing more has to be known of it.
-- ARG: host, queues (their names).
-- Returns {forgotten}.
redis.call('HDEL', K.removed(), ARG.host)
for _, queue in ipairs(ARG.queues) do redis.call('HDEL', K.dropped(), queue) end
return reply({forgotten = true})
