-- Reads the blocks of a log's ring that have lines from `first` on. ARG: id, attempt, first. Returns {blocks}.
local ring, blocks = K.log_ring(ARG.id, ARG.attempt), {}
local index = redis.call('LLEN', ring) - 1
-- From the newest back: who follows a log has the others already.
while index >= 0 do
  local block = redis.call('LINDEX', ring, index)
  local first, count = string.match(block, '^(%d+) (%d+) ')
  if first + count <= ARG.first then break end
  table.insert(blocks, 1, block)
  index = index - 1
end
return reply({blocks = blocks})
