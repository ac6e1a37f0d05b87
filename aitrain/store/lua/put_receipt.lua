-- Keeps the receipt of an attempt, in place of one that was signed before its results were pushed again.
-- ARG: id, attempt, version (of the facts that it was made of), text, retention_s (0: for ever).
-- Returns {kept}. kept = false: another has signed it, or the attempt has ended anew meanwhile.
if redis.call('HGET', K.ended(ARG.id, ARG.attempt), 'version') ~= ARG.version then return reply({kept = false}) end
redis.call('HSET', K.receipts(ARG.id), ARG.attempt, ARG.text)
if ARG.retention_s > 0 then
  redis.call('EXPIRE', K.receipts(ARG.id), ARG.retention_s)
else
  redis.call('PERSIST', K.receipts(ARG.id))
end
redis.call('DEL', K.ended(ARG.id, ARG.attempt), K.manifest(ARG.id, ARG.attempt))
redis.call('ZREM', K.unsigned(), ARG.id .. '/' .. ARG.attempt)
return reply({kept = true})
