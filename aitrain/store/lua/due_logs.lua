-- Logs whose time is past: their jobs were deleted, or their attempts ended so long ago.
-- ARG: skip (so many), limit, retention_ms (0: for ever). Returns {due = [{id, attempt, project}]}.
local up_to = ARG.retention_ms > 0 and NOW - ARG.retention_ms or 0
local due = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', K.log_ends(), '-inf', int(up_to), 'LIMIT', ARG.skip, ARG.limit)) do
  local id, attempt = string.match(member, '^(.+)/(%d+)$')
  local job = read_job(id)
  if job and job.attempt == attempt and not STATES[job.state].ended then
    -- It goes on, silently: its time begins anew.
    redis.call('ZADD', K.log_ends(), int(NOW), member)
  else
    local project = redis.call('HGET', K.log(id, attempt), 'project')
    if project then due[#due + 1] = {id = id, attempt = attempt, project = project}
    else redis.call('ZREM', K.log_ends(), member) end
  end
end
return reply({due = due})
