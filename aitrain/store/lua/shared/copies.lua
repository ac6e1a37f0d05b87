-- Orders to copy data of a job while it runs.

-- An order to copy data of a job while it runs, open or over; nil if there was none.
local function read_copy(id)
  local flat = redis.call('HGETALL', K.copy(id))
  if #flat == 0 then return nil end
  local copy = {}
  for i = 1, #flat, 2 do copy[flat[i]] = flat[i + 1] end
  return copy
end

-- Ends an order to copy. fields: state, and summary, lines, error, code as far as there are.
local function close_copy(id, fields)
  for name, value in pairs(fields) do redis.call('HSET', K.copy(id), name, value) end
  redis.call('HSET', K.copy(id), 'ended_ms', int(NOW))
  redis.call('HDEL', K.copy(id), 'lease_ms')
  redis.call('HDEL', K.job(id), 'copying', 'copy_due_ms')
end
