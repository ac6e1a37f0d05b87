-- Puts a step's work off under its fence: its lease is given back, and its message is sent again after a pause.
-- ARG: id, fence, holder, pause_ms, message.
-- Returns {done}.
local job = read_job(ARG.id)
local done = job ~= nil and job.fence == ARG.fence and job.lease_holder == ARG.holder
if done then
  redis.call('HDEL', K.job(ARG.id), 'lease_holder', 'lease_ms', 'resends')
  redis.call('HINCRBY', K.job(ARG.id), 'push_tries', 1)
  redis.call('HSET', K.job(ARG.id), 'due_ms', int(NOW + ARG.pause_ms), 'note', ARG.message)
end
return reply({done = done})
