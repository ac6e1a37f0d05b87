-- Registers a host and what it offers, and gives it its lease. Run again at every start of its agent.
-- ARG: host, instance (which machine it is), max_jobs, units ({flavor = [ids]}), ttl_ms, lost_ms;
-- optional: faults (of units, as in report_faults).
-- Returns {joined, waiting}. joined = false: another machine holds the lease of a host of this name, or still has jobs: it
-- may run them, and has their data.
-- waiting: jobs that wait for one of its flavors. Units that a job holds stay held; a unit that is not offered any more
-- is withdrawn once it is free (see release in shared/units.lua). What is cordoned stays so; what the agent found unfit,
-- too, until it says otherwise, but not what another machine of this name found.
local host = ARG.host
local lease = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0')
local instance = redis.call('HGET', K.host(host), 'instance')
if instance and instance ~= ARG.instance and (lease > NOW or redis.call('SCARD', K.host_jobs(host)) > 0) then
  return reply({joined = false, waiting = 0})
end

redis.call('HSET', K.host(host), 'instance', ARG.instance, 'max_jobs', int(ARG.max_jobs))
host_is_here(host, ARG)
redis.call('HDEL', K.removed(), host)
if instance and instance ~= ARG.instance then set_faults(host, {}) end
if ARG.faults then set_faults(host, ARG.faults) end
for flavor in pairs(ARG.units) do redis.call('SADD', K.flavors(), flavor) end
for _, flavor in ipairs(redis.call('SMEMBERS', K.flavors())) do
  local offered = K.host_offers(host, flavor)
  redis.call('DEL', offered)
  for _, unit in ipairs(ARG.units[flavor] or {}) do
    redis.call('SADD', offered, unit)
    redis.call('HSETNX', K.host_units(host, flavor), unit, '')
  end
end
return reply({joined = true, waiting = waiting_for(recount(host))})
