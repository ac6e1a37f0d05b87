-- Hosts, as far as more than one verb looks at them.

-- A host has said something. lost_ms: how long after its last word it has stopped its containers, by its own settings.
local function host_is_here(host, o)
  redis.call('ZADD', K.hosts(), int(NOW + o.ttl_ms), host)
  redis.call('HSET', K.host(host), 'seen_ms', int(NOW), 'lost_ms', int(o.lost_ms))
end

-- A whole number that a host wrote into what is its own; nil for what is none. One that writes nonsense there, since it is not
-- itself any more, must not end the scripts that look at all hosts.
local function from_host(text)
  local number = tonumber(text or '')
  return number and math.abs(number) < 2 ^ 53 and math.floor(number) or nil
end

-- Whether a host is lost: silent for as long as it said itself, and for least_ms.
local function is_lost(host, least_ms)
  if not host then return false end
  local held = redis.call('HMGET', K.host(host), 'seen_ms', 'lost_ms')
  if not held[1] then return false end
  return NOW - (from_host(held[1]) or 0) >= math.max(from_host(held[2]) or 0, least_ms)
end

-- What a host's agent needs to know of one of its jobs; fields as in answers.HostJob.
local function host_row(id, job, resend, recopy)
  return {
    job_id = id, project = job.project, fence = job.fence, kind = job.kind, flavor = job.flavor, state = job.state,
    started = job.started_ms ~= nil, starting = job.starting == '1', evicting = job.evicting == '1',
    lease_live = lease_is_live(job), resend = resend and true or false,
    left_ms = job.deadline_ms and job.state == 'RUNNING' and job.deadline_ms - NOW or cjson.null,
    timeout_s = tonumber(job.timeout_s), asked_s = tonumber(job.asked_s or '0'), warning_s = tonumber(job.warning_s or '0'),
    warning_signal = job.warning_signal or '', recopy = recopy or '',
    unit_ids = STATES[job.state].holds_units and job.unit_ids or '[]',
  }
end
