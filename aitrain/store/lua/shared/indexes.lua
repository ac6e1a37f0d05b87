-- The indexes, counters and reservations that follow the states, and the end of them all.

-- Keeps the indexes, counters and reservations equal to the states. `from` is nil for a new job. job.held: it is held,
-- or is to be in QUEUED.
local function reindex(id, job, from, to, pause_ms)
  local old, new = STATES[from] or {}, STATES[to]
  if from then redis.call('ZREM', K.state(from), id) end
  redis.call('ZADD', K.state(to), int(NOW), id)
  if from then count_standing(job.project, from, -1) end
  count_standing(job.project, to, 1)
  local counted = (old.counted or false) and not (from == 'QUEUED' and job.held)
  local counts = new.counted and not (to == 'QUEUED' and job.held)
  if counted ~= counts then count_quota(job, counts and 1 or -1) end
  local lived, lives = counted or old.runs, counts or new.runs
  if lives and not lived then redis.call('SADD', K.live(job.project), id) end
  if lived and not lives then redis.call('SREM', K.live(job.project), id) end
  if old.holds_units and not new.holds_units then release(job) end
  if not old.on_host and new.on_host then redis.call('SADD', K.host_jobs(job.host), id) end
  if old.on_host and not new.on_host then
    redis.call('SREM', K.host_jobs(job.host), id)
    SEALED.take_back(job.host, id)
    note_room(job.host)
  end
  if from == 'QUEUED' and job.held then
    end_hold(id, job)
  elseif from == 'QUEUED' then
    local gives_up = leave_line(id, job) and not new.on_host
    if gives_up and waiting_count(job.flavor) > 0 then ask_for_pass() end
  end
  if to == 'QUEUED' then
    if job.held then hold(id, job, job.held, NOW) else wait_in_line(id, job, pause_ms) end
  end
  if from == 'RUNNING' then redis.call('ZREM', K.deadlines(), id) end
  if old.runs and not new.runs then redis.call('ZREM', K.billing(), id) end
  if to == 'RUNNING' then set_deadline(id, job, NOW) end
end

-- What a job is found by: the beginning of its id, and its name. See K.refs.
local function refs(id, job)
  local name = cjson.decode(job.spec).name or ''
  return 'i/' .. id .. '/' .. job.project, 'n/' .. name .. '/' .. job.project .. '/' .. id
end

-- Takes a job out of everything but the ledger. What is left of it for a day tells a call that is sent again how it went,
-- and keeps a submission that is sent again from bringing the job back.
local GONE_SECONDS = 86400
local function erase(id, job)
  redis.call('ZREM', K.state(job.state), id)
  count_standing(job.project, job.state, -1)
  redis.call('ZREM', K.jobs(), id)
  redis.call('ZREM', K.project_jobs(job.project), id)
  redis.call('ZREM', K.refs(), refs(id, job))
  redis.call('DEL', K.settled(id), K.history(id), K.attempts(id), K.copy(id))
  for attempt = 1, tonumber(job.attempt) do
    -- What lies in the object store goes by a sweep, which needs to know whose it is.
    local project = redis.call('HGET', K.log(id, attempt), 'project')
    local uploaded = redis.call('HEXISTS', K.log(id, attempt), 'uploaded') == 1
    redis.call('DEL', K.log(id, attempt), K.log_ring(id, attempt))
    redis.call('ZREM', K.log_ends(), id .. '/' .. attempt)
    if uploaded then
      redis.call('HSET', K.log(id, attempt), 'project', project)
      redis.call('ZADD', K.log_ends(), 0, id .. '/' .. attempt)
    end
  end
  -- By a host's move as well, and hosts may neither read nor write them: a sweep of the control workers forgets them.
  if job.has_secrets then redis.call('ZADD', K.unsealed(), int(NOW), id) end
  ORIGIN.forget(id)
  local op = redis.call('HGET', K.job(id), 'last_op')
  redis.call('DEL', K.job(id))
  redis.call('HSET', K.job(id), 'deleted_ms', int(NOW), 'last_op', op or '', 'fence', job.fence, 'state', job.state)
  redis.call('EXPIRE', K.job(id), GONE_SECONDS)
  redis.call('XADD', K.events(), 'MAXLEN', '~', 10000, '*', 'job', id, 'project', job.project, 'state', 'deleted')
end
