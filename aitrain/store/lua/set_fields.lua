-- Writes facts of an attempt that are no move (progress, image) under its fence.
-- ARG: id, fence, fields.
-- Returns {written}.
local written = redis.call('HGET', K.job(ARG.id), 'fence') == ARG.fence
if written then
  if ARG.fields.progress then count_copied(redis.call('HGET', K.job(ARG.id), 'progress'), ARG.fields.progress) end
  for name, value in pairs(ARG.fields) do redis.call('HSET', K.job(ARG.id), name, value) end
end
return reply({written = written})
