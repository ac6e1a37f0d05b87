-- What the units of a flavor cost, and since when.

-- Read once in a script: prices of a flavor as {from_ms, price}, oldest first.
local PRICES = {}

local function read_prices(flavor)
  if not PRICES[flavor] then
    local found = {}
    for _, member in ipairs(redis.call('ZRANGE', K.prices(flavor), 0, -1)) do
      local from_ms, price = member:match('^(%d+) (.+)$')
      found[#found + 1] = {from_ms = tonumber(from_ms), price = price}
    end
    PRICES[flavor] = found
  end
  return PRICES[flavor]
end

-- The hourly price of a unit for a minute of a job that begins at at_ms, and when the next price counts.
local function price_at(job, at_ms)
  local price, next_ms = job.hourly_price, math.huge
  for _, entry in ipairs(read_prices(job.flavor)) do
    if entry.from_ms > at_ms then return price, entry.from_ms end
    price = entry.price
  end
  return price, next_ms
end
