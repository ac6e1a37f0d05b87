-- Orders that data of a RUNNING job is copied. One order at a time.
-- ARG: id, op, direction, mount_path, dry_run ('0' or '1'), by, grace_ms.
-- Returns {done, state, why, copy}. why: 'not_running', 'busy' (another order is open). copy: the fields of the order, or of
-- the one that is open.
local job, copy = read_job(ARG.id), read_copy(ARG.id)
if not job then return told(false, nil, 'unknown') end
local function answer(done, why)
  return reply({done = done, state = job.state, why = why, copy = read_copy(ARG.id)})
end
if copy and copy.id == ARG.op then return answer(true) end -- whatever has become of it since
if job.state ~= 'RUNNING' then return told(false, job, 'not_running') end
if job.copying then return answer(false, 'busy') end
redis.call('DEL', K.copy(ARG.id))
redis.call('HSET', K.copy(ARG.id), 'id', ARG.op, 'fence', job.fence, 'direction', ARG.direction, 'mount_path', ARG.mount_path,
  'dry_run', ARG.dry_run, 'state', 'ASKED', 'by', ARG.by, 'asked_ms', int(NOW))
redis.call('HSET', K.job(ARG.id), 'copying', ARG.direction, 'copy_due_ms', int(NOW + ARG.grace_ms))
return answer(true)
