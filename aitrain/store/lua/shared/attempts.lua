-- From one attempt of a job to the next, and what is told of each move.

-- What belongs to one attempt and does not outlive it.
local ATTEMPT_FIELDS = {
  'end_cause', 'exit_code', 'out_of_memory', 'host', 'unit_ids', 'started_ms', 'finished_ms', 'running_ms',
  'deadline_ms', 'policy', 'placed_ms', 'pending_ms', 'begun_ms', 'ran_ms', 'billed_minutes', 'line', 'image_id',
  'image_digest', 'egress', 'progress', 'push_tries', 'starting', 'stop_asked', 'not_before_ms', 'asked_s',
  'instance', 'kept_until_ms', 'expired_ms', 'push_asked',
}

-- again: why it runs again, the name of the counter that this raises; 'restart' begins all anew.
local function next_attempt(id, job, o)
  redis.call('RPUSH', K.attempts(id), cjson.encode({
    attempt = tonumber(job.attempt), cause = job.end_cause, host = job.host, exit_code = tonumber(job.exit_code),
    started_ms = tonumber(job.started_ms), finished_ms = tonumber(job.finished_ms), message = o.attempt_message or o.message,
    minutes = tonumber(job.billed_minutes), starting = job.starting == '1',
    policy = job.policy, begun_ms = tonumber(job.begun_ms), ran_ms = tonumber(job.ran_ms),
  }))
  -- Where the platform failed it once, it would fail it again: others come first.
  if o.again == 'platform_tries' then redis.call('HSET', K.job(id), 'avoid', job.host or '') end
  redis.call('HDEL', K.job(id), unpack(ATTEMPT_FIELDS))
  for _, name in ipairs(ATTEMPT_FIELDS) do job[name] = nil end
  job.attempt = int(job.attempt + 1)
  job.fence = job.attempt .. '.' .. o.token
  redis.call('HSET', K.job(id), 'attempt', job.attempt, 'fence', job.fence)
  if o.again == 'restart' then
    redis.call('HDEL', K.job(id), 'platform_tries', 'own_tries', 'evictions', 'avoid')
  else
    redis.call('HINCRBY', K.job(id), o.again, 1)
  end
  if o.pause_ms and o.pause_ms > 0 then redis.call('HSET', K.job(id), 'not_before_ms', int(NOW + o.pause_ms)) end
end

-- A move as the history keeps it: [at_ms, state, attempt, code, message], the last two as far as they say more than the
-- state does.
local function told_move(state, attempt, code, message)
  local entry = {NOW, state, attempt}
  if code ~= STATES[state].code or message ~= '' then entry[4] = code end
  if message ~= '' then entry[5] = message end
  return cjson.encode(entry)
end

local function tell(id, job, state, o)
  local code = o.code or STATES[state].code
  count('move/' .. state .. '/' .. code)
  redis.call('RPUSH', K.history(id), told_move(state, tonumber(job.attempt), code, o.message or ''))
  redis.call('XADD', K.events(), 'MAXLEN', '~', 10000, '*', 'job', id, 'project', job.project, 'state', state,
    'attempt', job.attempt, 'code', code)
end
