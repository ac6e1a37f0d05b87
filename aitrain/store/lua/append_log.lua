-- Appends lines that a container wrote to the ring of its attempt, and has the oldest fall out of it.
-- ARG: id, fence, blocks [{first, count, size, text}], in order, ring_bytes, kept; or look: only tell.
-- Returns {known, next, total, again}. again: the store has had a part of a block; the caller cuts it and asks again.
local job = read_job(ARG.id)
if not job or job.fence ~= ARG.fence then return reply({known = false}) end
local key, ring = K.log(ARG.id, job.attempt), K.log_ring(ARG.id, job.attempt)
if ARG.look and redis.call('HGET', key, 'fence') ~= ARG.fence then return reply({known = true, next = 0}) end
if not ARG.look and not LOG.open(ARG.id, job, job.attempt, ARG.fence) then return reply({known = false}) end
if ARG.kept then redis.call('HSET', key, 'kept', '1') end
local had, size, total = unpack(redis.call('HMGET', key, 'next', 'ring_size', 'total'))
had, size = tonumber(had or '0'), tonumber(size or '0')
local again, grown = false, false
for _, block in ipairs(ARG.blocks) do
  if block.first + block.count > had then
    again = block.first < had
    if again then break end
    redis.call('RPUSH', ring, string.format('%.0f %.0f %.0f %s', block.first, block.count, block.size, block.text))
    had, size, grown = block.first + block.count, size + block.size, true
  end
end
if grown then
  while size > ARG.ring_bytes and redis.call('LLEN', ring) > 1 do
    size = size - tonumber(string.match(redis.call('LPOP', ring), '^%d+ %d+ (%d+) '))
  end
  local first = string.match(redis.call('LINDEX', ring, 0), '^(%d+) ')
  redis.call('HSET', key, 'next', int(had), 'ring_size', int(size), 'ring_first', first)
end
return reply({known = true, next = had, total = total and tonumber(total) or nil, again = again})
