-- Renews the leases of the steps that one worker is at.
-- ARG: leases ([{id, fence, state, holder}]), ttl_ms.
-- Returns a list of booleans in the same order; false: the job moved on, or the lease went to another. Give up the work.
-- The lease of a step that was told to stop is renewed until it has given up: its container may still come to life.
local answers = {}
for i, lease in ipairs(ARG.leases) do
  local job = redis.call('HMGET', K.job(lease.id), 'fence', 'state', 'lease_holder')
  local ours = job[1] == lease.fence and job[3] == lease.holder
  answers[i] = ours and job[2] == lease.state
  if answers[i] then redis.call('HSET', K.job(lease.id), 'due_ms', int(NOW + ARG.ttl_ms)) end
  if answers[i] or (ours and job[2] == 'INTERRUPTING') then
    redis.call('HSET', K.job(lease.id), 'lease_ms', int(NOW + ARG.ttl_ms))
  end
end
return reply(answers)
