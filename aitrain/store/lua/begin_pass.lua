-- Begins a placement pass, or another look of it; or has the pass that is at work look once more.
-- ARG: holder, ttl_ms (it is taken for dead after that).
-- Returns {mine}.
local held = redis.call('HMGET', K.placing(), 'holder', 'until_ms')
local mine = not held[1] or held[1] == ARG.holder or tonumber(held[2]) <= NOW
if mine then
  redis.call('HDEL', K.placing(), 'asked')
  redis.call('HSET', K.placing(), 'holder', ARG.holder, 'until_ms', int(NOW + ARG.ttl_ms))
else
  redis.call('HSET', K.placing(), 'asked', '1')
end
return reply({mine = mine})
