-- One heartbeat of a host: renews its lease, records how long its jobs were seen running, marks timeouts that were
-- reached, evicts jobs from what is drained, and brings back its orders.
-- ARG: host, instance, fit (it can start containers), ttl_ms, lost_ms, resend_ms, seen ([{id, fence, ran_ms}]); optional:
-- disk ([free, size] of the file system of its data, in bytes).
-- Returns {known, place, jobs = [host_row]}.
-- known = false: join again; the store does not know the host, or another machine has its name.
-- place: a retry's pause is over, or a pass was asked for or died at its work (said to one host only; beat's sweep is
-- there for the rest), or this host's lease had lapsed and jobs wait for what it has: run one.
-- resend: the job's step went silent, send its message again (said once per resend_ms, then less and less often).
-- recopy: the same of an order to copy its data.
local host = ARG.host
if redis.call('HGET', K.host(host), 'instance') ~= ARG.instance then
  return reply({known = false, place = false, jobs = {}})
end
local was_away = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0') <= NOW
host_is_here(host, ARG)
redis.call('HSET', K.host(host), 'fit', ARG.fit and '1' or '0')
if ARG.disk then redis.call('HSET', K.host(host), 'disk_free', int(ARG.disk[1]), 'disk_size', int(ARG.disk[2])) end

for _, seen in ipairs(ARG.seen) do
  local held = redis.call('HMGET', K.job(seen.id), 'fence', 'state', 'host', unpack(RAN_FIELDS))
  if held[1] == seen.fence and STATES[held[2]].runs and held[3] == host then
    local job = {}
    for i, name in ipairs(RAN_FIELDS) do job[name] = held[3 + i] or nil end
    note_ran(seen.id, job, seen.ran_ms)
  end
end

-- Growing pauses: a worker that is away for days must not find a message for every ten seconds of them.
local function send_again(id, counted, due)
  local sent = redis.call('HINCRBY', counted, 'resends', 1)
  redis.call('HSET', K.job(id), due, int(NOW + ARG.resend_ms * 2 ^ math.min(sent - 1, 6)))
end

if tonumber(redis.call('ZSCORE', K.drains(), host) or NOW + 1) <= NOW then evict_due(host) end

local jobs = {}
for _, id in ipairs(redis.call('SMEMBERS', K.host_jobs(host))) do
  local job = read_job(id)
  if job then -- one job that is spoilt must not cost the others their heartbeat
    if job.state == 'RUNNING' and job.deadline_ms and tonumber(job.deadline_ms) <= NOW then time_out(id, job) end
    local resend = job.due_ms ~= nil and STATES[job.state].step and tonumber(job.due_ms) <= NOW
    if resend then send_again(id, K.job(id), 'due_ms') end
    local recopy = nil
    if job.state == 'RUNNING' and job.copy_due_ms and tonumber(job.copy_due_ms) <= NOW then
      send_again(id, K.copy(id), 'copy_due_ms')
      recopy = redis.call('HGET', K.copy(id), 'id')
    end
    jobs[#jobs + 1] = host_row(id, job, resend, recopy)
  end
end

local due, overdue = promote_due() > 0, pass_is_overdue()
local is_back = was_away and waiting_for(open_units(host)) > 0
return reply({known = true, place = due or overdue or is_back, jobs = jobs})
