-- Forgets the sealed variables of jobs that were deleted. Run by control workers: hosts, by whose moves jobs go, may not.
-- ARG: limit.
-- Returns {count}: how many jobs were looked at.
local ids = redis.call('ZRANGE', K.unsealed(), 0, ARG.limit - 1)
for _, id in ipairs(ids) do
  local gone = redis.call('EXISTS', K.job(id)) == 0 or redis.call('HEXISTS', K.job(id), 'deleted_ms') == 1
  if gone then SEALED.drop_env(id) end
  redis.call('ZREM', K.unsealed(), id)
end
return reply({count = #ids})
