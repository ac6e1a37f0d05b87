-- Delivers secrets to a host for a job, if the job is on it with that fence, and the host still has the key that they are
-- sealed for. `log`: or if the attempt's log may yet have to be uploaded from there; who reads it takes it away.
-- ARG: id, fence, host, host_key, secrets = {'kind/name' = text}, log.
-- Returns {done}.
local job = read_job(ARG.id)
local on_it = job and job.fence == ARG.fence and job.host == ARG.host and STATES[job.state].on_host
local done = (on_it or (job and ARG.log == true)) and redis.call('GET', K.host_key(ARG.host)) == ARG.host_key or false
if done then
  for name, text in pairs(ARG.secrets) do redis.call('HSET', K.delivered(ARG.host), ARG.id .. '/' .. name, text) end
end
return reply({done = done})
