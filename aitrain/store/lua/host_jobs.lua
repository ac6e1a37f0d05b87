-- What a host should be doing now, as in heartbeat.lua, without renewing or ordering anything. Changes nothing.
-- ARG: host, only (a job's id, or '' for all); optional: instance (of the machine that asks).
-- Returns {ours, jobs = [host_row]}, with resend = false. ours = false: another machine has the host's name now.
if ARG.instance and redis.call('HGET', K.host(ARG.host), 'instance') ~= ARG.instance then
  return reply({ours = false, jobs = {}})
end
local jobs, ids = {}, {ARG.only}
if ARG.only == '' then
  ids = redis.call('SMEMBERS', K.host_jobs(ARG.host))
elseif redis.call('SISMEMBER', K.host_jobs(ARG.host), ARG.only) == 0 then
  ids = {}
end
for _, id in ipairs(ids) do
  local job = read_job(id)
  if job then jobs[#jobs + 1] = host_row(id, job, false) end
end
return reply({ours = true, jobs = jobs})
