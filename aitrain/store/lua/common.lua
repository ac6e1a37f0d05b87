-- Shared by every script, behind the prelude of scripts.py. The only place that changes a job's state.

local ARG = cjson.decode(ARGV[1])
local NOW = ARG.now_ms
if not NOW then
  local time = redis.call('TIME')
  NOW = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Numbers are written without an exponent: Lua prints 1.7e12 otherwise.
local function int(number) return string.format('%.0f', number) end
local function reply(value) return cjson.encode(value) end

-- nil if there is no such job, or if it was deleted.
local function read_job(id)
  local flat = redis.call('HGETALL', k_job(id))
  if #flat == 0 then return nil end
  local job = {}
  for i = 1, #flat, 2 do job[flat[i]] = flat[i + 1] end
  job.id = id
  return job.deleted_ms == nil and job or nil
end

local function quota_field(job) return job.project .. '/' .. job.kind end

local function lease_is_live(job)
  return job.lease_ms ~= nil and tonumber(job.lease_ms) > NOW
end

local function free_units(host, flavor, change)
  -- A host that offers the flavor no more is not in the index, and must not come back by a release.
  redis.call('ZADD', k_free(flavor), 'XX', 'INCR', change, host)
end

local function reserve(job, host, units)
  for _, unit in ipairs(units) do redis.call('HSET', k_host_units(host, job.flavor), unit, job.id) end
  free_units(host, job.flavor, -#units)
end

local function release(job)
  local key, freed = k_host_units(job.host, job.flavor), 0
  for _, unit in ipairs(cjson.decode(job.unit_ids or '[]')) do
    if redis.call('HGET', key, unit) == job.id then
      if redis.call('SISMEMBER', k_host_offers(job.host, job.flavor), unit) == 1 then
        redis.call('HSET', key, unit, '')
        freed = freed + 1
      else -- withdrawn while the job held it
        redis.call('HDEL', key, unit)
      end
    end
  end
  free_units(job.host, job.flavor, freed)
end

-- What belongs to one attempt and does not outlive it.
local ATTEMPT_FIELDS = {
  'end_cause', 'exit_code', 'out_of_memory', 'host', 'unit_ids', 'started_ms', 'finished_ms', 'running_ms',
  'deadline_ms', 'ran_ms', 'billed_minutes', 'image_id', 'progress', 'log_cursor', 'log_bytes', 'push_tries',
  'starting', 'stop_asked', 'not_before_ms', 'asked_s', 'instance', 'kept_until_ms', 'expired_ms', 'push_asked',
}

-- again: why it runs again, the name of the counter that this raises; 'restart' begins both anew.
local function next_attempt(id, job, o)
  redis.call('RPUSH', k_attempts(id), cjson.encode({
    attempt = tonumber(job.attempt), cause = job.end_cause, host = job.host, exit_code = tonumber(job.exit_code),
    started_ms = tonumber(job.started_ms), finished_ms = tonumber(job.finished_ms), message = o.attempt_message or o.message,
    minutes = tonumber(job.billed_minutes), starting = job.starting == '1',
  }))
  -- Where the platform failed it once, it would fail it again: others come first.
  if o.again == 'platform_tries' then redis.call('HSET', k_job(id), 'avoid', job.host or '') end
  redis.call('HDEL', k_job(id), unpack(ATTEMPT_FIELDS))
  for _, name in ipairs(ATTEMPT_FIELDS) do job[name] = nil end
  job.attempt = int(job.attempt + 1)
  job.fence = job.attempt .. '.' .. o.token
  redis.call('HSET', k_job(id), 'attempt', job.attempt, 'fence', job.fence)
  if o.again == 'restart' then
    redis.call('HDEL', k_job(id), 'platform_tries', 'own_tries', 'avoid')
  else
    redis.call('HINCRBY', k_job(id), o.again, 1)
  end
  if o.pause_ms and o.pause_ms > 0 then redis.call('HSET', k_job(id), 'not_before_ms', int(NOW + o.pause_ms)) end
end

local function tell(id, job, state, o)
  local entry = {
    at_ms = NOW, state = state, attempt = tonumber(job.attempt), code = o.code or STATES[state].code,
    message = o.message or '', op = o.op,
  }
  redis.call('RPUSH', k_history(id), cjson.encode(entry))
  redis.call('XADD', k_events(), 'MAXLEN', '~', 10000, '*', 'job', id, 'project', job.project, 'state', state,
    'attempt', job.attempt, 'code', entry.code)
end

-- An order to copy data of a job while it runs, open or over; nil if there was none.
local function read_copy(id)
  local flat = redis.call('HGETALL', k_copy(id))
  if #flat == 0 then return nil end
  local copy = {}
  for i = 1, #flat, 2 do copy[flat[i]] = flat[i + 1] end
  return copy
end

-- Ends an order to copy. fields: state, and summary, lines, error, code as far as there are.
local function close_copy(id, fields)
  for name, value in pairs(fields) do redis.call('HSET', k_copy(id), name, value) end
  redis.call('HSET', k_copy(id), 'ended_ms', int(NOW))
  redis.call('HDEL', k_copy(id), 'lease_ms')
  redis.call('HDEL', k_job(id), 'copying', 'copy_due_ms')
end

local function set_deadline(id, job, running_ms)
  if tonumber(job.timeout_s) > 0 then
    local deadline = int(running_ms + job.timeout_s * 1000)
    redis.call('HSET', k_job(id), 'deadline_ms', deadline)
    redis.call('ZADD', k_deadlines(), deadline, id)
  else -- it runs until it is done or stopped
    redis.call('HDEL', k_job(id), 'deadline_ms')
    redis.call('ZREM', k_deadlines(), id)
  end
end

-- Keeps the indexes, counters and reservations equal to the states. `from` is nil for a new job.
local function reindex(id, job, from, to, pause_ms)
  local old, new = STATES[from] or {}, STATES[to]
  if from then redis.call('ZREM', k_state(from), id) end
  redis.call('ZADD', k_state(to), int(NOW), id)
  if not old.counted and new.counted then redis.call('HINCRBY', k_quota_used(), quota_field(job), job.units) end
  if old.counted and not new.counted then redis.call('HINCRBY', k_quota_used(), quota_field(job), -job.units) end
  if old.holds_units and not new.holds_units then release(job) end
  if not old.on_host and new.on_host then redis.call('SADD', k_host_jobs(job.host), id) end
  if old.on_host and not new.on_host then redis.call('SREM', k_host_jobs(job.host), id) end
  if to == 'QUEUED' then
    local from_ms = int(NOW + (pause_ms or 0))
    redis.call('ZADD', k_waiting(job.flavor), from_ms, id)
    if pause_ms and pause_ms > 0 then redis.call('ZADD', k_retries(), from_ms, id) end
  end
  if from == 'QUEUED' then
    redis.call('ZREM', k_waiting(job.flavor), id)
    redis.call('ZREM', k_retries(), id)
  end
  if from == 'RUNNING' then redis.call('ZREM', k_deadlines(), id) end
  if old.runs and not new.runs then redis.call('ZREM', k_billing(), id) end
  if to == 'RUNNING' then
    set_deadline(id, job, NOW)
    redis.call('ZADD', k_billing(), int(NOW), id)
  end
end

-- Takes a job out of everything but the ledger. What is left of it for a day tells a call that is sent again how it went,
-- and keeps a submission that is sent again from bringing the job back.
local GONE_SECONDS = 86400
local function erase(id, job)
  redis.call('ZREM', k_state(job.state), id)
  redis.call('ZREM', k_jobs(), id)
  redis.call('ZREM', k_project_jobs(job.project), id)
  redis.call('DEL', k_history(id), k_attempts(id), k_copy(id))
  for attempt = 1, tonumber(job.attempt) do redis.call('DEL', k_log(id, attempt)) end
  local op = redis.call('HGET', k_job(id), 'last_op')
  redis.call('DEL', k_job(id))
  redis.call('HSET', k_job(id), 'deleted_ms', int(NOW), 'last_op', op or '', 'fence', job.fence, 'state', job.state)
  redis.call('EXPIRE', k_job(id), GONE_SECONDS)
  redis.call('XADD', k_events(), 'MAXLEN', '~', 10000, '*', 'job', id, 'project', job.project, 'state', 'deleted')
end

-- Ledger rows: [{key = 'job/attempt/minute', month = '2026-11', row = '{...}'}]. A row that stands is never written over.
local function bill(id, job, rows, written)
  for _, row in ipairs(rows) do
    redis.call('HSETNX', k_ledger(job.project, row.month), row.key, row.row)
    redis.call('SADD', k_ledger_months(job.project), row.month)
  end
  if written and written > tonumber(job.billed_minutes or '0') then
    job.billed_minutes = int(written)
    redis.call('HSET', k_job(id), 'billed_minutes', job.billed_minutes)
  end
end

-- Moves a job. The caller has compared state and fence.
-- o: code, message, op, cause, fields (to set), rows and written (ledger), grace_ms; to QUEUED: token (of the next
-- attempt), again (see next_attempt), pause_ms; keep_ms: its results could not be pushed, and are kept for so long, 0 for
-- ever.
local function move(id, job, to, o)
  local from = job.state
  if not MOVES[from][to] then error('no move from ' .. from .. ' to ' .. to) end
  for name, value in pairs(o.fields or {}) do
    redis.call('HSET', k_job(id), name, value)
    job[name] = value
  end
  if o.cause and redis.call('HSETNX', k_job(id), 'end_cause', o.cause) == 1 then job.end_cause = o.cause end
  if o.rows then bill(id, job, o.rows, o.written) end
  reindex(id, job, from, to, o.pause_ms)
  if from == 'RUNNING' and job.copying then
    close_copy(id, {state = 'FAILED', error = 'the job left RUNNING for ' .. to .. ' before the copy was done'})
  end
  if to == 'QUEUED' then next_attempt(id, job, o) end
  if to == 'RUNNING' then redis.call('HSET', k_job(id), 'running_ms', int(NOW)) end
  redis.call('HDEL', k_job(id), 'due_ms', 'resends', 'note', 'kept_until_ms')
  if o.keep_ms then
    redis.call('HSET', k_job(id), 'kept_until_ms', o.keep_ms > 0 and int(NOW + o.keep_ms) or '0')
  end
  -- A start that is told to stop keeps its lease until it has: meanwhile its container may still come to life. A copy may
  -- hang for minutes, and nothing comes of it.
  if to ~= 'INTERRUPTING' or from == 'INITIALIZING' then redis.call('HDEL', k_job(id), 'lease_holder', 'lease_ms') end
  if STATES[to].step then redis.call('HSET', k_job(id), 'due_ms', int(NOW + (o.grace_ms or 10000))) end
  redis.call('HSET', k_job(id), 'state', to, 'state_ms', int(NOW), 'code', o.code or STATES[to].code,
    'message', o.message or '', 'last_op', o.op or '')
  tell(id, job, to, o)
  job.state = to
  if STATES[to].ended and job.delete_asked == '1' then erase(id, job) end
end

-- A host has said something. lost_ms: how long after its last word it has stopped its containers, by its own settings.
local function host_is_here(host, o)
  redis.call('ZADD', k_hosts(), int(NOW + o.ttl_ms), host)
  redis.call('HSET', k_host(host), 'seen_ms', int(NOW), 'lost_ms', int(o.lost_ms))
end

-- Whether a host is lost: silent for as long as it said itself, and for least_ms.
local function is_lost(host, least_ms)
  if not host then return false end
  local held = redis.call('HMGET', k_host(host), 'seen_ms', 'lost_ms')
  if not held[1] then return false end
  return NOW - held[1] >= math.max(tonumber(held[2]), least_ms)
end

-- How many jobs wait for what a move may have freed.
local function waiting_count(flavor) return redis.call('ZCOUNT', k_waiting(flavor), '-inf', int(NOW)) end

-- Whether a project may hold so many more units of the job's kind: nil, or the limit and what is in use.
local function over_quota(job, units)
  local limit = tonumber(redis.call('HGET', k_quota_limit(), quota_field(job)) or '-1')
  local used = tonumber(redis.call('HGET', k_quota_used(), quota_field(job)) or '0')
  if limit >= 0 and used + units > limit then return {refused = true, limit = limit, used = used} end
end

-- What the orders (stop, start, delete, edit) answer: done, the state that stands (null: no such job), a word on why.
local function told(done, job, why)
  return reply({done = done, state = job and job.state or cjson.null, why = why})
end

local function time_out(id, job)
  move(id, job, 'TIMEOUT', {cause = 'TIMED_OUT', message = 'it ran for its timeout of ' .. job.timeout_s .. ' s'})
end

-- What a host's agent needs to know of one of its jobs; fields as in answers.HostJob.
local function host_row(id, job, resend, recopy)
  return {
    job_id = id, fence = job.fence, kind = job.kind, flavor = job.flavor, state = job.state,
    started = job.started_ms ~= nil, starting = job.starting == '1', lease_live = lease_is_live(job), resend = resend and true or false,
    left_ms = job.deadline_ms and job.state == 'RUNNING' and job.deadline_ms - NOW or cjson.null,
    timeout_s = tonumber(job.timeout_s), asked_s = tonumber(job.asked_s or '0'), warning_s = tonumber(job.warning_s or '0'),
    warning_signal = job.warning_signal or '', recopy = recopy or '',
  }
end
