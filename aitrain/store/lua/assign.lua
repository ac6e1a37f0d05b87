-- Commits one assignment of placement: reserves exactly these units if they are all still free and the job still waits.
-- ARG: id, fence, run_fence (of the run that begins), host, units (ids), op, grace_ms.
-- Returns {moved, state, fence}.
local id, host = ARG.id, ARG.host
local job = read_job(id)
if not job then return reply({moved = false, state = cjson.null}) end
local function answer(moved) return reply({moved = moved, state = job.state, fence = job.fence}) end
if job.last_op == ARG.op then return answer(true) end
if job.fence ~= ARG.fence or job.state ~= 'QUEUED' then return answer(false) end
if tonumber(job.not_before_ms or '0') > NOW then return answer(false) end
if #ARG.units ~= tonumber(job.units) then return answer(false) end

local lease = tonumber(redis.call('ZSCORE', k_hosts(), host) or '0')
local room = tonumber(redis.call('HGET', k_host(host), 'max_jobs') or '0') - redis.call('SCARD', k_host_jobs(host))
if lease <= NOW or room < 1 then return answer(false) end
-- A cordoned host is not in the index of those that may take jobs.
if not redis.call('ZSCORE', k_free(job.flavor), host) then return answer(false) end
-- A unit that the host withdrew is not in the hash (nil), a taken one names its job, one that is aside has a mark: all
-- differ from ''.
for _, unit in ipairs(ARG.units) do
  if redis.call('HGET', k_host_units(host, job.flavor), unit) ~= '' then return answer(false) end
end

reserve(job, host, ARG.units)
job.fence = ARG.run_fence
move(id, job, 'INITIALIZING', {
  op = ARG.op, grace_ms = ARG.grace_ms, fields = {
    host = host, unit_ids = cjson.encode(ARG.units), fence = job.fence,
    -- Its data is on this machine, whoever may have the host's name later.
    instance = redis.call('HGET', k_host(host), 'instance'),
  },
})
return answer(true)
