-- Gives a host, or one of its units, back to placement, and ends its drain. A unit that its agent finds unfit stays aside.
-- ARG: host, unit (as in cordon.lua), op.
-- Returns {done, why, waiting}. why: as in cordon.lua; waiting: jobs that wait for what may have come free.
local host = ARG.host
if redis.call('EXISTS', K.host(host)) == 0 then return reply({done = false, why = 'unknown_host', waiting = 0}) end
if redis.call('HGET', K.host(host), 'uncordon_op') ~= ARG.op then
  if ARG.unit == '' then
    redis.call('HDEL', K.host(host), 'cordon_by', 'cordon_reason', 'cordon_ms', 'drain_ms')
  else
    local name, why = find_unit(host, ARG.unit)
    if not name then return reply({done = false, why = why, waiting = 0}) end
    local entry = read_aside(host, name)
    entry.operator, entry.operator_by, entry.operator_ms, entry.drain_ms = nil, nil, nil, nil
    write_aside(host, name, entry)
  end
  redis.call('HSET', K.host(host), 'uncordon_op', ARG.op)
  set_next_drain(host)
end
return reply({done = true, waiting = waiting_for(recount(host))})
