-- Registers a host and what it offers, and gives it its lease. Run again at every start of its agent.
-- ARG: host, instance (which machine it is), max_jobs, units ({flavor = [ids]}), ttl_ms, lost_ms.
-- Returns {joined, waiting}. joined = false: another machine holds the lease of a host of this name, or still has jobs: it
-- may run them, and has their data.
-- waiting: jobs that wait for one of its flavors. Units that a job holds stay held; a unit that is not offered any more
-- is withdrawn once it is free (see release in shared/units.lua).
local host, waiting = ARG.host, 0
local lease = tonumber(redis.call('ZSCORE', k_hosts(), host) or '0')
local instance = redis.call('HGET', k_host(host), 'instance')
if instance and instance ~= ARG.instance and (lease > NOW or redis.call('SCARD', k_host_jobs(host)) > 0) then
  return reply({joined = false, waiting = 0})
end

redis.call('HSET', k_host(host), 'instance', ARG.instance, 'max_jobs', int(ARG.max_jobs))
host_is_here(host, ARG)
for flavor in pairs(ARG.units) do redis.call('SADD', k_flavors(), flavor) end
for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
  local key, offered, free = k_host_units(host, flavor), k_host_offers(host, flavor), 0
  redis.call('DEL', offered)
  for _, unit in ipairs(ARG.units[flavor] or {}) do
    redis.call('SADD', offered, unit)
    redis.call('HSETNX', key, unit, '')
  end
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    if flat[i + 1] == '' and redis.call('SISMEMBER', offered, flat[i]) == 0 then
      redis.call('HDEL', key, flat[i])
    elseif flat[i + 1] == '' then
      free = free + 1
    end
  end
  if redis.call('EXISTS', offered) == 1 then
    redis.call('ZADD', k_free(flavor), free, host)
    waiting = waiting + waiting_count(flavor)
  else
    redis.call('ZREM', k_free(flavor), host)
  end
end
return reply({joined = true, waiting = waiting})
