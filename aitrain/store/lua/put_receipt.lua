-- Keeps the receipt of an attempt, in place of one that was signed before its results were pushed again.
-- ARG: id, attempt, version (of the facts that it was made of), text, retention_s (0: for ever).
-- Returns {kept}. kept = false: another has signed it, or the attempt has ended anew meanwhile.
if redis.call('HGET', k_ended(ARG.id, ARG.attempt), 'version') ~= ARG.version then return reply({kept = false}) end
redis.call('HSET', k_receipts(ARG.id), ARG.attempt, ARG.text)
if ARG.retention_s > 0 then
  redis.call('EXPIRE', k_receipts(ARG.id), ARG.retention_s)
else
  redis.call('PERSIST', k_receipts(ARG.id))
end
redis.call('DEL', k_ended(ARG.id, ARG.attempt), k_manifest(ARG.id, ARG.attempt))
redis.call('ZREM', k_unsigned(), ARG.id .. '/' .. ARG.attempt)
return reply({kept = true})
