-- The only place that changes a job's state.

-- Moves a job. The caller has compared state and fence.
-- o: code, message, op, cause, fields (to set), ran_ms (see note_ran), age_ms (see begin_run), listing (see keep_listing),
-- grace_ms; to QUEUED: token (of the next attempt), again (see next_attempt), pause_ms; keep_ms: its results could not be
-- pushed, and are kept for so long, 0 for ever.
local function move(id, job, to, o)
  local from = job.state
  if not MOVES[from][to] then error('no move from ' .. from .. ' to ' .. to) end
  if STATES[from].ended then unsettle(id) end
  local flat = {}
  for name, value in pairs(o.fields or {}) do
    flat[#flat + 1], flat[#flat + 2], job[name] = name, value, value
  end
  if #flat > 0 then redis.call('HSET', K.job(id), unpack(flat)) end
  if o.cause and redis.call('HSETNX', K.job(id), 'end_cause', o.cause) == 1 then job.end_cause = o.cause end
  -- Of a run whose bill is final, nothing more is believed.
  if o.ran_ms and (STATES[from].runs or not job.begun_ms) then note_ran(id, job, o.ran_ms) end
  -- Whatever ends a run makes its bill final.
  if STATES[from].runs and not STATES[to].runs then bill(id, job) end
  if o.listing then keep_listing(id, job, o.listing) end
  count_stay(job, from, to)
  reindex(id, job, from, to, o.pause_ms)
  if from == 'RUNNING' and job.copying then
    close_copy(id, {state = 'FAILED', error = 'the job left RUNNING for ' .. to .. ' before the copy was done'})
  end
  if to == 'QUEUED' then
    if not STATES[from].ended then note_end(id, job, to, o) end
    next_attempt(id, job, o)
  end
  if to == 'PENDING' then job.pending_ms = int(NOW); redis.call('HSET', K.job(id), 'pending_ms', job.pending_ms) end
  if to == 'RUNNING' then begin_run(id, job, o.age_ms or 0) end
  redis.call('HDEL', K.job(id), 'due_ms', 'resends', 'note', 'kept_until_ms')
  if from == 'INTERRUPTING' then redis.call('HDEL', K.job(id), 'evicting') end
  if o.keep_ms then
    redis.call('HSET', K.job(id), 'kept_until_ms', o.keep_ms > 0 and int(NOW + o.keep_ms) or '0')
  end
  -- A start that is told to stop keeps its lease until it has: meanwhile its container may still come to life. A copy may
  -- hang for minutes, and nothing comes of it.
  if to ~= 'INTERRUPTING' or from == 'INITIALIZING' then redis.call('HDEL', K.job(id), 'lease_holder', 'lease_ms') end
  if STATES[to].step then redis.call('HSET', K.job(id), 'due_ms', int(NOW + (o.grace_ms or 10000))) end
  redis.call('HSET', K.job(id), 'state', to, 'state_ms', int(NOW), 'code', o.code or STATES[to].code,
    'message', o.message or '', 'last_op', o.op or '')
  tell(id, job, to, o)
  job.state = to
  if to == 'QUEUED' and not job.held and budget_holds(job) then hold_waiting(id, job, 'budget', NOW) end
  keep_aside(id, job)
  if STATES[to].ended then
    note_end(id, job, to, o)
    if job.delete_asked == '1' then erase(id, job) else settle(id, to) end
  end
  local lived = STATES[from].counted or STATES[from].runs
  if lived and (job.held or not STATES[to].counted) then let_in_all(job.project) end
end

local function time_out(id, job)
  move(id, job, 'TIMEOUT', {cause = 'TIMED_OUT', message = 'it ran for its timeout of ' .. job.timeout_s .. ' s'})
end
