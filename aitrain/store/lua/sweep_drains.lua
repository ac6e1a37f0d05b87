-- Evicts the jobs of hosts whose drain has reached its deadline and whose agent did not do it. Costs what is due.
-- ARG: limit (of hosts).
-- Returns the ids of those evicted.
local evicted = {}
for _, host in ipairs(redis.call('ZRANGEBYSCORE', K.drains(), '-inf', int(NOW), 'LIMIT', 0, ARG.limit)) do
  for _, id in ipairs(evict_due(host)) do evicted[#evicted + 1] = id end
end
return reply(evicted)
