-- Placement passes: one is at work at a time. Who comes meanwhile asks it to look again, and goes.

-- Has the pass at work look once more; if none is, the next heartbeat of any host begins one.
local function ask_for_pass()
  if redis.call('HEXISTS', k_placing(), 'holder') == 1 then
    redis.call('HSET', k_placing(), 'asked', '1')
  else
    redis.call('HSET', k_placing(), 'until_ms', int(NOW))
  end
end

-- Whether a pass was asked for and none is at work, or one died at its work: what it had not
-- placed yet waits, and so do those that relied on it. Said once.
local function pass_is_overdue()
  local until_ms = redis.call('HGET', k_placing(), 'until_ms')
  if not until_ms or tonumber(until_ms) > NOW then return false end
  redis.call('DEL', k_placing())
  return true
end
