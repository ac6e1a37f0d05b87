-- What a host should be doing now, as in heartbeat.lua, without renewing or ordering anything. Changes nothing.
-- ARG: host.
-- Returns [[id, fence, kind, flavor, state, elapsed_ms, started, lease_live, resend = false]].
local jobs = {}
for i, id in ipairs(redis.call('SMEMBERS', k_host_jobs(ARG.host))) do jobs[i] = host_row(id, read_job(id), false) end
return reply(jobs)
