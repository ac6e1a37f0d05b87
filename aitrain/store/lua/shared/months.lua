-- Months by the calendar of UTC. (Redis gives scripts no calendar.)

local DAY_MS = 86400000
local MINUTE_MS = 60000

-- Year and month of a moment in Unix ms. Years count from March, so that a leap day is the last of its year.
local function year_and_month(ms)
  local days = math.floor(ms / DAY_MS) + 719468 -- since 0000-03-01
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153) + 3
  if month > 12 then return year + era * 400 + 1, month - 12 end
  return year + era * 400, month
end

-- The first moment of a month, in Unix ms.
local function month_begins_ms(year, month)
  if month <= 2 then year, month = year - 1, month + 12 end
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local days = of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + math.floor((153 * (month - 3) + 2) / 5)
  return (era * 146097 + days - 719468) * DAY_MS
end

-- The month of a moment, as '2026-11', and when it is over.
local function month_of(ms)
  local year, month = year_and_month(ms)
  local ends_ms = month == 12 and month_begins_ms(year + 1, 1) or month_begins_ms(year, month + 1)
  return string.format('%04d-%02d', year, month), ends_ms
end
