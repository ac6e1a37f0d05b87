-- Writes new jobs, QUEUED, each if its project's budget and quota allow; or held, where the project's jobs over
-- its quota are. One that is refused does not keep the others out.
-- ARG: jobs = [{id, fence, op, job (fields of the job's hash), sealed (its secret variables, {name = token})}, ...].
-- Returns [answer, ...] in their order, each {created, free, job, history} or {refused, ...} (see shared/quota.lua
-- and budget.lua) or {deleted}. A repeat with the same id changes nothing.
-- The id of a job that was deleted is not taken again for a day, and not as long as its project's ledger has lines of it.
-- free: the most units of its flavor that any one host has left, 0 for a held job; job: the fields of its hash, of a new
-- one only those that were not asked for: whoever asked knows the others, and a spec takes long to write and to read.
local function answer(id, flavor, told)
  local best = redis.call('ZREVRANGE', K.free(flavor), 0, 0, 'WITHSCORES')
  return {created = true, free = told.held and 0 or tonumber(best[2] or '0'), job = told, history = history(id)}
end

local function submit(id, job, fence, op, sealed)
  if redis.call('HEXISTS', K.job(id), 'deleted_ms') == 1 then return {deleted = true} end
  if redis.call('EXISTS', K.job(id)) == 1 then return answer(id, job.flavor, read_job(id)) end
  -- What is left of a deleted job lapses, its lines stay: a job of the same id would write over them.
  for _, month in ipairs(redis.call('SMEMBERS', K.ledger_months(job.project))) do
    if redis.call('HEXISTS', K.ledger_jobs(job.project, month), id) == 1 then return {deleted = true} end
  end

  local over = over_budget(job, 0) or (not holds_over_quota(job.project) and over_quota(job))
  if over then return over end
  if is_to_hold(job) then job.held = 'quota' end

  local told = {
    attempt = '1', fence = fence, state = 'QUEUED', created_ms = int(NOW), state_ms = int(NOW), code = STATES.QUEUED.code,
  }
  for name, value in pairs(told) do job[name] = value end
  job.last_op = op
  ORIGIN.begin(id, job)
  if sealed then
    job.has_secrets = '1'
    SEALED.keep_env(id, sealed)
  end
  local flat = {}
  for name, value in pairs(job) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', K.job(id), unpack(flat))
  redis.call('ZADD', K.jobs(), int(NOW), id)
  redis.call('ZADD', K.project_jobs(job.project), int(NOW), id)
  local by_id, by_name = refs(id, job)
  redis.call('ZADD', K.refs(), 0, by_id, 0, by_name)
  job.id = id
  reindex(id, job, nil, 'QUEUED')
  tell(id, job, 'QUEUED', {op = op})
  keep_aside(id, job)
  if job.held then
    let_in(job.project, job.kind)
    told.held = redis.call('HGET', K.job(id), 'held') or nil
  end
  return answer(id, job.flavor, told)
end

local answers = {}
for i, asked in ipairs(ARG.jobs) do answers[i] = submit(asked.id, asked.job, asked.fence, asked.op, asked.sealed) end
return reply(answers)
