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

local function read_job(id)
  local flat = redis.call('HGETALL', k_job(id))
  if #flat == 0 then return nil end
  local job = {}
  for i = 1, #flat, 2 do job[flat[i]] = flat[i + 1] end
  job.id = id
  return job
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
  'deadline_ms', 'ran_ms', 'billed_minutes', 'image_id', 'progress', 'log_cursor', 'log_bytes',
}

local function next_attempt(id, job, token)
  redis.call('RPUSH', k_attempts(id), cjson.encode({
    attempt = tonumber(job.attempt), cause = job.end_cause, host = job.host, exit_code = tonumber(job.exit_code),
    started_ms = tonumber(job.started_ms), finished_ms = tonumber(job.finished_ms),
  }))
  redis.call('HDEL', k_job(id), unpack(ATTEMPT_FIELDS))
  for _, name in ipairs(ATTEMPT_FIELDS) do job[name] = nil end
  job.attempt = int(job.attempt + 1)
  job.fence = job.attempt .. '.' .. token
  redis.call('HSET', k_job(id), 'attempt', job.attempt, 'fence', job.fence)
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

-- Keeps the indexes, counters and reservations equal to the states. `from` is nil for a new job.
local function reindex(id, job, from, to)
  local old, new = STATES[from] or {}, STATES[to]
  if from then redis.call('ZREM', k_state(from), id) end
  redis.call('ZADD', k_state(to), int(NOW), id)
  if not old.counted and new.counted then redis.call('HINCRBY', k_quota_used(), quota_field(job), job.units) end
  if old.counted and not new.counted then redis.call('HINCRBY', k_quota_used(), quota_field(job), -job.units) end
  if old.holds_units and not new.holds_units then release(job) end
  if not old.on_host and new.on_host then redis.call('SADD', k_host_jobs(job.host), id) end
  if old.on_host and not new.on_host then redis.call('SREM', k_host_jobs(job.host), id) end
  if to == 'QUEUED' then redis.call('ZADD', k_waiting(job.flavor), int(NOW), id) end
  if from == 'QUEUED' then redis.call('ZREM', k_waiting(job.flavor), id) end
  if from == 'RUNNING' then redis.call('ZREM', k_deadlines(), id) end
  if old.runs and not new.runs then redis.call('ZREM', k_billing(), id) end
  if to == 'RUNNING' then
    redis.call('ZADD', k_deadlines(), int(NOW + job.timeout_s * 1000), id)
    redis.call('ZADD', k_billing(), int(NOW), id)
  end
end

-- Ledger rows: [{key = 'job/attempt/minute', month = '2026-11', row = '{...}'}]. A row that stands is never written over.
local function bill(id, job, rows, written)
  for _, row in ipairs(rows) do
    redis.call('HSETNX', k_ledger(job.project, row.month), row.key, row.row)
    redis.call('SADD', k_ledger_months(job.project), row.month)
  end
  if written and written > tonumber(job.billed_minutes or '0') then
    redis.call('HSET', k_job(id), 'billed_minutes', int(written))
  end
end

-- Moves a job. The caller has compared state and fence.
-- o: code, message, op, cause, fields (to set), rows and written (ledger), token (of the next attempt), grace_ms.
local function move(id, job, to, o)
  local from = job.state
  if not MOVES[from][to] then error('no move from ' .. from .. ' to ' .. to) end
  for name, value in pairs(o.fields or {}) do
    redis.call('HSET', k_job(id), name, value)
    job[name] = value
  end
  if o.cause and redis.call('HSETNX', k_job(id), 'end_cause', o.cause) == 1 then job.end_cause = o.cause end
  if o.rows then bill(id, job, o.rows, o.written) end
  reindex(id, job, from, to)
  if to == 'QUEUED' then next_attempt(id, job, o.token) end
  if to == 'RUNNING' then
    redis.call('HSET', k_job(id), 'running_ms', int(NOW), 'deadline_ms', int(NOW + job.timeout_s * 1000))
  end
  redis.call('HDEL', k_job(id), 'due_ms', 'resends')
  -- A step that is told to stop keeps its lease until it has: meanwhile its container may still come to life.
  if to ~= 'INTERRUPTING' then redis.call('HDEL', k_job(id), 'lease_holder', 'lease_ms') end
  if STATES[to].step then redis.call('HSET', k_job(id), 'due_ms', int(NOW + (o.grace_ms or 10000))) end
  redis.call('HSET', k_job(id), 'state', to, 'state_ms', int(NOW), 'code', o.code or STATES[to].code,
    'message', o.message or '', 'last_op', o.op or '')
  tell(id, job, to, o)
  job.state = to
end

-- How many jobs wait for what a move may have freed.
local function waiting_count(flavor) return redis.call('ZCARD', k_waiting(flavor)) end

local function time_out(id, job)
  move(id, job, 'TIMEOUT', {cause = 'TIMED_OUT', message = 'it ran for its timeout of ' .. job.timeout_s .. ' s'})
end

-- What a host's agent needs to know of one of its jobs.
local function host_row(id, job, resend)
  return {
    id, job.fence, job.kind, job.flavor, job.state, job.started_ms ~= nil, lease_is_live(job), resend and true or false,
  }
end
