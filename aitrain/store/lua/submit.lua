-- Writes a new job, QUEUED, if its project's quota allows.
-- ARG: id, fence, op, job (fields of the job's hash), units.
-- Returns {created, free, job, history} or {refused, limit, used} or {deleted}. A repeat with the same id changes nothing.
-- The id of a job that was deleted is not taken again for a day, and not as long as its project's ledger has lines of it.
-- free: the most units of its flavor that any one host has left; job: the fields of its hash.
local id, job = ARG.id, ARG.job
local function answer()
  local best = redis.call('ZREVRANGE', k_free(job.flavor), 0, 0, 'WITHSCORES')
  return reply({
    created = true, free = tonumber(best[2] or '0'), job = read_job(id), history = history(id),
  })
end
if redis.call('HEXISTS', k_job(id), 'deleted_ms') == 1 then return reply({deleted = true}) end
if redis.call('EXISTS', k_job(id)) == 1 then return answer() end
-- What is left of a deleted job lapses, its lines stay: a job of the same id would write over them.
for _, month in ipairs(redis.call('SMEMBERS', k_ledger_months(job.project))) do
  if redis.call('HEXISTS', k_ledger_jobs(job.project, month), id) == 1 then return reply({deleted = true}) end
end

local over = over_quota(job, ARG.units)
if over then return reply(over) end

job.attempt, job.fence, job.state = '1', ARG.fence, 'QUEUED'
job.created_ms, job.state_ms, job.code, job.last_op = int(NOW), int(NOW), STATES.QUEUED.code, ARG.op
local flat = {}
for name, value in pairs(job) do
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
redis.call('HSET', k_job(id), unpack(flat))
redis.call('ZADD', k_jobs(), int(NOW), id)
redis.call('ZADD', k_project_jobs(job.project), int(NOW), id)
job.id = id
reindex(id, job, nil, 'QUEUED')
tell(id, job, 'QUEUED', {op = ARG.op})
return answer()
