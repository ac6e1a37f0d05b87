-- Placement passes: one is at work at a time. Who comes meanwhile asks it to look again, and goes.

-- Whether a pass was asked for while one was at work that then died. Said once.
local function pass_is_overdue()
  local held = redis.call('HMGET', k_placing(), 'asked', 'until_ms')
  if held[1] ~= '1' or tonumber(held[2]) > NOW then return false end
  redis.call('HDEL', k_placing(), 'asked')
  return true
end
