-- Renews the leases of the ordered copies that one worker is at.
-- ARG: leases ([{id, copy, holder}]), ttl_ms.
-- Returns a list of booleans in the same order; false: the job left RUNNING, or the order went to another. Give it up.
local answers = {}
for i, lease in ipairs(ARG.leases) do
  local copy = redis.call('HMGET', K.copy(lease.id), 'id', 'holder', 'state')
  answers[i] = copy[1] == lease.copy and copy[2] == lease.holder and copy[3] == 'WORKING'
  if answers[i] then
    redis.call('HSET', K.copy(lease.id), 'lease_ms', int(NOW + ARG.ttl_ms))
    redis.call('HSET', K.job(lease.id), 'copy_due_ms', int(NOW + ARG.ttl_ms))
  end
end
return reply(answers)
