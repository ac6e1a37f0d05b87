-- One heartbeat of a host: renews its lease, records how long its jobs were seen running, marks timeouts that were
-- reached, and brings back its orders.
-- ARG: host, instance, fit (it can start containers), ttl_ms, resend_ms, seen ([{id, fence, ran_ms}]).
-- Returns {known, jobs = [host_row]}.
-- known = false: join again; the store does not know the host, or another machine has its name.
-- resend: the job's step went silent, send its message again (said once per resend_ms,
-- then less and less often).
local host = ARG.host
if redis.call('HGET', k_host(host), 'instance') ~= ARG.instance then return reply({known = false, jobs = {}}) end
redis.call('ZADD', k_hosts(), int(NOW + ARG.ttl_ms), host)
redis.call('HSET', k_host(host), 'fit', ARG.fit and '1' or '0')

for _, seen in ipairs(ARG.seen) do
  local held = redis.call('HMGET', k_job(seen.id), 'fence', 'state', 'ran_ms')
  if held[1] == seen.fence and STATES[held[2]].runs and seen.ran_ms > tonumber(held[3] or '0') then
    redis.call('HSET', k_job(seen.id), 'ran_ms', int(seen.ran_ms))
  end
end

local jobs = {}
for _, id in ipairs(redis.call('SMEMBERS', k_host_jobs(host))) do
  local job = read_job(id)
  if job.state == 'RUNNING' and job.deadline_ms and tonumber(job.deadline_ms) <= NOW then time_out(id, job) end
  local resend = job.due_ms ~= nil and STATES[job.state].step and tonumber(job.due_ms) <= NOW
  if resend then
    -- Growing pauses: a worker that is away for days must not find a message for every ten seconds of them.
    local sent = redis.call('HINCRBY', k_job(id), 'resends', 1)
    redis.call('HSET', k_job(id), 'due_ms', int(NOW + ARG.resend_ms * 2 ^ math.min(sent - 1, 6)))
  end
  jobs[#jobs + 1] = host_row(id, job, resend)
end
return reply({known = true, jobs = jobs})
