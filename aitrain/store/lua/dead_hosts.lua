-- Hosts that read no queue any more: those that are lost, and those that were removed. Changes nothing. Costs the hosts that
-- are away.
-- ARG: none.
-- Returns {lost, removed} (names).
local lost = {}
for _, host in ipairs(redis.call('ZRANGEBYSCORE', K.hosts(), '-inf', int(NOW))) do
  if is_lost(host, 0) then lost[#lost + 1] = host end
end
return reply({lost = lost, removed = redis.call('HKEYS', K.removed())})
