-- Counts messages that were dropped from the queue of a dead host.
-- ARG: queue, count, op.
-- Returns {noted}.
local text = redis.call('HGET', K.dropped(), ARG.queue)
local entry = text and cjson.decode(text) or {count = 0}
if entry.op ~= ARG.op then
  entry.op, entry.count = ARG.op, entry.count + ARG.count
  redis.call('HSET', K.dropped(), ARG.queue, cjson.encode(entry))
  redis.call('HINCRBY', K.sweeps(), 'drop_dead_messages.dropped', ARG.count)
end
return reply({noted = true})
