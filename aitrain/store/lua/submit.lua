-- Writes a new job, QUEUED, if its project's budget and quota allow; or held, where the project's jobs over
-- its quota are.
-- ARG: id, fence, op, job (fields of the job's hash).
-- Returns {created, free, job, history} or {refused, ...} (see shared/quota.lua and budget.lua) or {deleted}. A repeat
-- with the same id changes nothing.
-- The id of a job that was deleted is not taken again for a day, and not as long as its project's ledger has lines of it.
-- free: the most units of its flavor that any one host has left, 0 for a held job; job: the fields of its hash.
local id, job = ARG.id, ARG.job
local function answer()
  local written = read_job(id)
  local best = redis.call('ZREVRANGE', K.free(job.flavor), 0, 0, 'WITHSCORES')
  return reply({
    created = true, free = written.held and 0 or tonumber(best[2] or '0'), job = written, history = history(id),
  })
end
if redis.call('HEXISTS', K.job(id), 'deleted_ms') == 1 then return reply({deleted = true}) end
if redis.call('EXISTS', K.job(id)) == 1 then return answer() end
-- What is left of a deleted job lapses, its lines stay: a job of the same id would write over them.
for _, month in ipairs(redis.call('SMEMBERS', K.ledger_months(job.project))) do
  if redis.call('HEXISTS', K.ledger_jobs(job.project, month), id) == 1 then return reply({deleted = true}) end
end

local over = over_budget(job, 0) or (not holds_over_quota(job.project) and over_quota(job))
if over then return reply(over) end
if is_to_hold(job) then job.held = 'quota' end

job.attempt, job.fence, job.state = '1', ARG.fence, 'QUEUED'
job.created_ms, job.state_ms, job.code, job.last_op = int(NOW), int(NOW), STATES.QUEUED.code, ARG.op
local flat = {}
for name, value in pairs(job) do
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
redis.call('HSET', K.job(id), unpack(flat))
redis.call('ZADD', K.jobs(), int(NOW), id)
redis.call('ZADD', K.project_jobs(job.project), int(NOW), id)
job.id = id
reindex(id, job, nil, 'QUEUED')
tell(id, job, 'QUEUED', {op = ARG.op})
keep_aside(id, job)
if job.held then let_in(job.project, job.kind) end
return answer()
