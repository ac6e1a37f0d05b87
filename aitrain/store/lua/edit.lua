-- Changes the timeout, auto-restart or labels of a job. The deadline of a running job moves with its timeout.
-- ARG: id; optional: fence (only while it is the current one), timeout_s, by_job (the job asks itself: only for more, and
--      what it asked before counts no more, for somebody may have changed it since), auto_restart ('0' or '1'),
--      labels ({key = value}), drop (keys), most_labels.
-- Returns {done, state, why} or {refused, ...} (see over_budget in shared/budget.lua). Applied twice it changes nothing more.
local job = read_job(ARG.id)
if not job then return told(false, nil, 'unknown') end
if ARG.fence and ARG.fence ~= job.fence then return told(false, job, 'late') end
local key = K.job(ARG.id)
local labels = cjson.decode(job.labels or '{}')
if ARG.labels then
  for name, value in pairs(ARG.labels) do labels[name] = value end
  for _, name in ipairs(ARG.drop) do labels[name] = nil end
  local count = 0
  for _ in pairs(labels) do count = count + 1 end
  if count > ARG.most_labels then return told(false, job, 'labels') end
end
if ARG.timeout_s then
  local now_s = tonumber(job.timeout_s)
  if job.state == 'TIMEOUT' then return told(false, job, 'ending') end
  if ARG.by_job then
    if tonumber(job.asked_s or '0') == ARG.timeout_s then return told(false, job, 'asked') end
    if now_s == 0 or ARG.timeout_s < now_s then return told(false, job, 'shorter') end
  end
  job.timeout_s = int(ARG.timeout_s)
  local longer = now_s > 0 and (ARG.timeout_s == 0 or ARG.timeout_s > now_s)
  local over = longer and STATES[job.state].counted and not job.held
    and over_budget(job, tonumber(job.billed_minutes or '0'))
  if over then
    job.timeout_s = int(now_s)
    return ARG.by_job and told(false, job, 'budget') or reply(over)
  end
  if ARG.by_job then redis.call('HSET', key, 'asked_s', job.timeout_s) end
  redis.call('HSET', key, 'timeout_s', job.timeout_s)
  keep_aside(ARG.id, job)
  let_in_all(job.project)
  if job.state == 'RUNNING' then set_deadline(ARG.id, job, tonumber(job.running_ms)) end
end
if ARG.auto_restart then redis.call('HSET', key, 'auto_restart', ARG.auto_restart) end
if ARG.labels then
  redis.call('HSET', key, 'labels', cjson.encode(labels))
  describe_again(ARG.id, job)
end
return told(true, job)
