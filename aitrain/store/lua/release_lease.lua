-- Gives a lease back before it lapses: the step gave up its work, and whoever waits for that may go on.
-- ARG: id, fence, holder.
-- Returns {released}.
local held = redis.call('HMGET', K.job(ARG.id), 'fence', 'lease_holder')
local released = held[1] == ARG.fence and held[2] == ARG.holder
if released then redis.call('HDEL', K.job(ARG.id), 'lease_holder', 'lease_ms') end
return reply({released = released})
