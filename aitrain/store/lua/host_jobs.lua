-- What a host should be doing now, as in heartbeat.lua, without renewing or ordering anything. Changes nothing.
-- ARG: host, only (a job's id, or '' for all).
-- Returns [host_row], with resend = false.
local jobs, ids = {}, {ARG.only}
if ARG.only == '' then
  ids = redis.call('SMEMBERS', k_host_jobs(ARG.host))
elseif redis.call('SISMEMBER', k_host_jobs(ARG.host), ARG.only) == 0 then
  ids = {}
end
for i, id in ipairs(ids) do jobs[i] = host_row(id, read_job(id), false) end
return reply(jobs)
