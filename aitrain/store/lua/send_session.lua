-- Sends one entry of a session, if the receiver is not too far behind. Sent twice it is there once.
-- ARG: token, way, at (what was sent before it), kind, data (base64), cost (bytes, at least 1), window (bytes), ttl_s.
-- Returns {gone} or {sent}; sent = false: the window is full.
local key, way = K.session(ARG.token), K.session_way(ARG.token, ARG.way)
if redis.call('EXISTS', key) == 0 then return reply({gone = true}) end
local held = redis.call('HMGET', key, ARG.way .. '_sent', ARG.way .. '_taken')
local sent, taken = tonumber(held[1] or 0), tonumber(held[2] or 0)
if ARG.at < sent then return reply({sent = true}) end
if sent > taken and sent + ARG.cost - taken > ARG.window then return reply({sent = false}) end
redis.call('HSET', key, ARG.way .. '_sent', string.format('%.0f', sent + ARG.cost))
redis.call('XADD', way, string.format('%.0f-0', sent + ARG.cost), 'k', ARG.kind, 'd', ARG.data)
redis.call('EXPIRE', way, ARG.ttl_s)
return reply({sent = true})
