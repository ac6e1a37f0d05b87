-- The indexes, counters and reservations that follow the states, and the end of them all.

-- Keeps the indexes, counters and reservations equal to the states. `from` is nil for a new job.
local function reindex(id, job, from, to, pause_ms)
  local old, new = STATES[from] or {}, STATES[to]
  if from then redis.call('ZREM', k_state(from), id) end
  redis.call('ZADD', k_state(to), int(NOW), id)
  if not old.counted and new.counted then redis.call('HINCRBY', k_quota_used(), quota_field(job), job.units) end
  if old.counted and not new.counted then redis.call('HINCRBY', k_quota_used(), quota_field(job), -job.units) end
  if old.holds_units and not new.holds_units then release(job) end
  if not old.on_host and new.on_host then redis.call('SADD', k_host_jobs(job.host), id) end
  if old.on_host and not new.on_host then
    redis.call('SREM', k_host_jobs(job.host), id)
    note_room(job.host)
  end
  if to == 'QUEUED' then wait_in_line(id, job, pause_ms) end
  if from == 'QUEUED' then
    local gives_up = leave_line(id, job) and not new.on_host
    if gives_up and waiting_count(job.flavor) > 0 then ask_for_pass() end
  end
  if from == 'RUNNING' then redis.call('ZREM', k_deadlines(), id) end
  if old.runs and not new.runs then redis.call('ZREM', k_billing(), id) end
  if to == 'RUNNING' then set_deadline(id, job, NOW) end
end

-- Takes a job out of everything but the ledger. What is left of it for a day tells a call that is sent again how it went,
-- and keeps a submission that is sent again from bringing the job back.
local GONE_SECONDS = 86400
local function erase(id, job)
  redis.call('ZREM', k_state(job.state), id)
  redis.call('ZREM', k_jobs(), id)
  redis.call('ZREM', k_project_jobs(job.project), id)
  redis.call('DEL', k_settled(id), k_history(id), k_attempts(id), k_copy(id))
  for attempt = 1, tonumber(job.attempt) do redis.call('DEL', k_log(id, attempt)) end
  local op = redis.call('HGET', k_job(id), 'last_op')
  redis.call('DEL', k_job(id))
  redis.call('HSET', k_job(id), 'deleted_ms', int(NOW), 'last_op', op or '', 'fence', job.fence, 'state', job.state)
  redis.call('EXPIRE', k_job(id), GONE_SECONDS)
  redis.call('XADD', k_events(), 'MAXLEN', '~', 10000, '*', 'job', id, 'project', job.project, 'state', 'deleted')
end
