-- How many units of each flavor the hosts that are alive offer, and how many of them jobs may have now. Changes nothing.
-- Costs every host: for people, not for what happens often.
-- ARG: nothing.
-- Returns {flavor = [offered, free]}.
local units = {}
local alive = redis.call('ZRANGEBYSCORE', K.hosts(), '(' .. int(NOW), '+inf')
for _, flavor in ipairs(redis.call('SMEMBERS', K.flavors())) do
  local offered, free = 0, 0
  for _, host in ipairs(alive) do
    offered = offered + redis.call('SCARD', K.host_offers(host, flavor))
    free = free + tonumber(redis.call('ZSCORE', K.free(flavor), host) or '0')
  end
  units[flavor] = {offered, free}
end
return reply(units)
