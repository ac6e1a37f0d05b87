-- Tells the store by what policy attempts are billed that are placed from now on, and what flavors cost.
-- ARG: policy, prices ({flavor = hourly price of a unit, as text}).
-- Returns the flavors of which the price is news. A new price counts for minutes that begin UNDER_WAY_MS from now or later:
-- none of them is in the ledger already.
redis.call('SET', K.policy(), ARG.policy)
local changed = {}
for flavor, price in pairs(ARG.prices) do
  local key = K.prices(flavor)
  local last = redis.call('ZRANGE', key, -1, -1)[1]
  if not last or last:match(' (.+)$') ~= price then
    local from_ms = int(NOW + UNDER_WAY_MS)
    redis.call('ZREMRANGEBYSCORE', key, from_ms, '+inf') -- one price a moment
    redis.call('ZADD', key, from_ms, from_ms .. ' ' .. price)
    changed[#changed + 1] = flavor
  end
end
return reply(changed)
