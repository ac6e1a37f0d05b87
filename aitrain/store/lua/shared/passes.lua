-- Placement passes: one is at work at a time. Who comes meanwhile asks it to look again, and goes.

-- How many jobs wait for the flavors of which units are free. open: as recount and open_units in units.lua return it.
local function waiting_for(open)
  local waiting = 0
  for flavor, free in pairs(open) do
    if free > 0 then waiting = waiting + waiting_count(flavor) end
  end
  return waiting
end

-- Has the pass at work look once more; if none is, the next heartbeat of any host begins one.
local function ask_for_pass()
  if redis.call('HEXISTS', k_placing(), 'holder') == 1 then
    redis.call('HSET', k_placing(), 'asked', '1')
  else
    redis.call('HSET', k_placing(), 'until_ms', int(NOW))
  end
end

-- A job left a host. If that had as many as it may, others may start there, also on units that were free before.
local function note_room(host)
  if room_of(host) == 1 and waiting_for(open_units(host)) > 0 then ask_for_pass() end
end

-- Whether a pass was asked for and none is at work, or one died at its work: what it had not
-- placed yet waits, and so do those that relied on it. Said once.
local function pass_is_overdue()
  local until_ms = redis.call('HGET', k_placing(), 'until_ms')
  if not until_ms or tonumber(until_ms) > NOW then return false end
  redis.call('DEL', k_placing())
  return true
end
