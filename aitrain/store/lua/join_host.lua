-- Registers a host and what it offers, and gives it its lease. Run again at every start of its agent.
-- ARG: host, fields (of the host's hash), units ({flavor = [ids]}), ttl_ms.
-- Returns {waiting}: jobs that wait for one of its flavors. Units that a job holds stay held; a unit that is not
-- offered any more is withdrawn once it is free.
local host, waiting = ARG.host, 0
redis.call('HSET', k_host(host), 'joined_ms', int(NOW))
for name, value in pairs(ARG.fields) do redis.call('HSET', k_host(host), name, value) end
redis.call('ZADD', k_hosts(), int(NOW + ARG.ttl_ms), host)
for flavor in pairs(ARG.units) do redis.call('SADD', k_flavors(), flavor) end
for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
  local key, offered, free = k_host_units(host, flavor), {}, 0
  for _, unit in ipairs(ARG.units[flavor] or {}) do offered[unit] = true end
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    if not offered[flat[i]] and flat[i + 1] == '' then redis.call('HDEL', key, flat[i]) end
  end
  for unit in pairs(offered) do
    redis.call('HSETNX', key, unit, '')
    if redis.call('HGET', key, unit) == '' then free = free + 1 end
  end
  if next(offered) then
    redis.call('ZADD', k_free(flavor), free, host)
    waiting = waiting + waiting_count(flavor)
  else
    redis.call('ZREM', k_free(flavor), host)
  end
end
return reply({waiting = waiting})
