-- An agent takes up what it was asked, if nobody has, and its job still runs as it did.
-- ARG: token, holder.
-- Returns {id, fence, attempt, ask}; nothing: it is another's, or nobody waits any more.
local held = redis.call('HMGET', K.session(ARG.token), 'id', 'fence', 'attempt', 'ask', 'holder')
if not held[1] or (held[5] and held[5] ~= ARG.holder) then return reply({}) end
redis.call('HSET', K.session(ARG.token), 'holder', ARG.holder, 'agent_ms', int(NOW))
local job = redis.call('HMGET', K.job(held[1]), 'state', 'fence')
local runs = job[1] == 'RUNNING' and job[2] == held[2]
return reply({id = held[1], fence = held[2], attempt = held[3], ask = held[4], runs = runs})
