-- Logs of attempts: a hash that says how one stands (logs.py), and a ring of its newest lines.

local LOG = {}

-- The parts in the object store, in order: {first, count, size}.
function LOG.chunks(key)
  local flat, chunks = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    if string.find(flat[i], '^%d+$') then
      local count, size = string.match(flat[i + 1], '^(%d+) (%d+)$')
      chunks[#chunks + 1] = {first = tonumber(flat[i]), count = tonumber(count), size = tonumber(size)}
    end
  end
  table.sort(chunks, function(a, b) return a.first < b.first end)
  return chunks
end

-- Whether this is the log of that attempt: a store that lost its last second may give the same number twice, and then
-- whoever comes first with the lost fence must not take the log from the attempt that there is.
function LOG.open(id, job, attempt, fence)
  local key = K.log(id, attempt)
  local held = redis.call('HGET', key, 'fence')
  if held then return held == fence end
  if attempt == job.attempt and fence ~= job.fence then return false end
  redis.call('HSET', key, 'fence', fence, 'project', job.project)
  redis.call('ZADD', K.log_ends(), int(NOW), id .. '/' .. attempt)
  return true
end

-- Drops the ring of a log that is over, once all its lines lie in the object store.
function LOG.settle(id, attempt)
  local key = K.log(id, attempt)
  local total, first = unpack(redis.call('HMGET', key, 'total', 'ring_first'))
  if not total or not first then return end
  local up_to = tonumber(first)
  for _, chunk in ipairs(LOG.chunks(key)) do
    if chunk.first <= up_to then up_to = math.max(up_to, chunk.first + chunk.count) end
  end
  if up_to < tonumber(total) then return end
  redis.call('DEL', K.log_ring(id, attempt))
  redis.call('HDEL', key, 'ring_first', 'ring_size')
end
