-- Takes a host, or one of its units, out of placement. What runs there goes on.
-- ARG: host, unit (its id, or 'flavor/id'; '' for the whole host), op, by, reason.
-- Returns {done, why}. why: 'unknown_host', 'unknown_unit', 'ambiguous_unit' (two flavors have a unit of this id).
-- A second cordon changes by and reason only.
local host = ARG.host
if redis.call('EXISTS', k_host(host)) == 0 then return reply({done = false, why = 'unknown_host'}) end
if redis.call('HGET', k_host(host), 'cordon_op') == ARG.op then return reply({done = true}) end
if ARG.unit == '' then
  redis.call('HSETNX', k_host(host), 'cordon_ms', int(NOW))
  redis.call('HSET', k_host(host), 'cordon_by', ARG.by, 'cordon_reason', ARG.reason)
else
  local name, why = find_unit(host, ARG.unit)
  if not name then return reply({done = false, why = why}) end
  local entry = read_aside(host, name)
  entry.operator, entry.operator_by, entry.operator_ms = ARG.reason, ARG.by, entry.operator_ms or NOW
  write_aside(host, name, entry)
end
redis.call('HSET', k_host(host), 'cordon_op', ARG.op)
recount(host)
return reply({done = true})
