-- Commits assignments of placement: reserves exactly these units if they are all still free and the job still waits.
-- ARG: rows ([{id, fence, run_fence (of the run that begins), host, units (ids), despite (the job that the host is kept
--      for, as far as is known), op}]), grace_ms.
-- Returns [{moved, state, fence}], one for each row.
local function assign(row)
  local id, host = row.id, row.host
  local job = read_job(id)
  if not job then return {moved = false, state = cjson.null} end
  local function answer(moved) return {moved = moved, state = job.state, fence = job.fence} end
  if job.last_op == row.op then return answer(true) end
  if job.fence ~= row.fence or job.state ~= 'QUEUED' or job.held then return answer(false) end
  if tonumber(job.not_before_ms or '0') > NOW then return answer(false) end
  if #row.units ~= tonumber(job.units) then return answer(false) end
  local kept_for = redis.call('HGET', K.kept(job.flavor), host)
  if kept_for and kept_for ~= id and kept_for ~= row.despite then return answer(false) end

  local lease = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0')
  local held = redis.call('HMGET', K.host(host), 'max_jobs', 'instance')
  local room = tonumber(held[1] or '0') - redis.call('SCARD', K.host_jobs(host))
  if lease <= NOW or room < 1 then return answer(false) end
  -- A cordoned host is not in the index of those that may take jobs.
  if not redis.call('ZSCORE', K.free(job.flavor), host) then return answer(false) end
  -- A unit that the host withdrew is not in the hash (nil), a taken one names its job, one that is aside has a mark: all
  -- differ from ''. None counts for two.
  local named = {}
  for _, unit in ipairs(row.units) do
    if named[unit] or redis.call('HGET', K.host_units(host, job.flavor), unit) ~= '' then return answer(false) end
    named[unit] = true
  end

  reserve(job, host, row.units)
  job.fence = row.run_fence
  ORIGIN.sent(id, job.fence, host)
  move(id, job, 'INITIALIZING', {
    op = row.op, grace_ms = ARG.grace_ms, fields = {
      host = host, unit_ids = cjson.encode(row.units), fence = job.fence, placed_ms = int(NOW),
      policy = redis.call('GET', K.policy()) or 'running',
      -- Its data is on this machine, whoever may have the host's name later.
      instance = held[2],
    },
  })
  return answer(true)
end

local answers = {}
for number, row in ipairs(ARG.rows) do answers[number] = assign(row) end
return reply(answers)
