-- Ends of attempts that have no receipt yet, the oldest first. Costs what is due.
-- ARG: limit.
-- Returns {now_ms, ends = [{id, attempt, version, state, code, job (flat), moves and lines (JSON texts), manifest (flat),
-- receipt (the one that was signed before the results were pushed again, or nil)}]}.
local ends = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', K.unsigned(), '-inf', int(NOW), 'LIMIT', 0, ARG.limit)) do
  local _, _, id, attempt = string.find(member, '^(.+)/(%d+)$')
  local held = redis.call('HMGET', K.ended(id, attempt), 'version', 'state', 'code', 'job', 'moves', 'lines')
  if held[1] then
    ends[#ends + 1] = {
      id = id, attempt = tonumber(attempt), version = held[1], state = held[2], code = held[3], job = held[4],
      moves = held[5], lines = held[6], manifest = redis.call('HGETALL', K.manifest(id, attempt)),
      receipt = redis.call('HGET', K.receipts(id), attempt) or nil,
    }
  else -- it has waited for too long
    redis.call('ZREM', K.unsigned(), member)
  end
end
return reply({now_ms = NOW, ends = ends})
