-- Takes a host, or one of its units, out of placement. What runs there goes on; with a drain, until a deadline.
-- ARG: host, unit (its id, or 'flavor/id'; '' for the whole host), op, by, reason; optional: drain_ms (how long what runs
--      may go on before it is evicted; -1: for as long as it takes).
-- Returns {done, why}. why: 'unknown_host', 'unknown_unit', 'ambiguous_unit' (two flavors have a unit of this id).
-- Ordered again, it keeps since when it holds, and a drain unless another is ordered.
local host = ARG.host
if redis.call('EXISTS', K.host(host)) == 0 then return reply({done = false, why = 'unknown_host'}) end
if redis.call('HGET', K.host(host), 'cordon_op') == ARG.op then return reply({done = true}) end
local deadline = ARG.drain_ms and (ARG.drain_ms < 0 and 0 or NOW + ARG.drain_ms)
if ARG.unit == '' then
  redis.call('HSETNX', K.host(host), 'cordon_ms', int(NOW))
  redis.call('HSET', K.host(host), 'cordon_by', ARG.by, 'cordon_reason', ARG.reason)
  if deadline then redis.call('HSET', K.host(host), 'drain_ms', int(deadline)) end
else
  local name, why = find_unit(host, ARG.unit)
  if not name then return reply({done = false, why = why}) end
  local entry = read_aside(host, name)
  entry.operator, entry.operator_by, entry.operator_ms = ARG.reason, ARG.by, entry.operator_ms or NOW
  entry.drain_ms = deadline or entry.drain_ms
  write_aside(host, name, entry)
end
redis.call('HSET', K.host(host), 'cordon_op', ARG.op)
recount(host)
if deadline then evict_due(host) end
return reply({done = true})
