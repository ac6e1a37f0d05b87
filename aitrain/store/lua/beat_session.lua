-- One side of a session says that it is there, and up to where it has read.
-- ARG: token, side ('client', 'agent'), other, way (that it reads), taken, ttl_s.
-- Returns {gone} or {silent_ms}: for how long the other side has said nothing; none: it never did.
local key, way = K.session(ARG.token), K.session_way(ARG.token, ARG.way)
if redis.call('EXISTS', key) == 0 then return reply({gone = true}) end
if ARG.taken > tonumber(redis.call('HGET', key, ARG.way .. '_taken') or 0) then
  redis.call('HSET', key, ARG.way .. '_taken', string.format('%.0f', ARG.taken))
  redis.call('XTRIM', way, 'MINID', string.format('%.0f-0', ARG.taken + 1))
end
redis.call('HSET', key, ARG.side .. '_ms', int(NOW))
for _, one in ipairs({key, K.session_way(ARG.token, 'in'), K.session_way(ARG.token, 'out')}) do
  redis.call('EXPIRE', one, ARG.ttl_s)
end
local said = redis.call('HGET', key, ARG.other .. '_ms')
return reply({silent_ms = said and NOW - tonumber(said) or nil})
