-- Keeps a host for a job, if the job still waits and neither has another.
-- ARG: id, fence, host.
-- Returns {kept}.
local held = redis.call('HMGET', K.job(ARG.id), 'fence', 'state', 'flavor', 'kept_host', 'held')
if held[1] ~= ARG.fence or held[2] ~= 'QUEUED' or held[5] then return reply({kept = false}) end
local holder = redis.call('HGET', K.kept(held[3]), ARG.host)
if held[4] or holder or not redis.call('ZSCORE', K.free(held[3]), ARG.host) then
  return reply({kept = holder == ARG.id})
end
redis.call('HSET', K.kept(held[3]), ARG.host, ARG.id)
redis.call('HSET', K.job(ARG.id), 'kept_host', ARG.host)
return reply({kept = true})
