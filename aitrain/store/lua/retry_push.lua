-- Has results that could not be pushed pushed again: an ERROR of the code JOB_SYNC_FAILED is FINALIZING again, in the same
-- attempt and on the same host. Why, when and with which exit code it ended stands; nothing is billed.
-- ARG: id, op, message, grace_ms.
-- Returns {done, state, why}. why: 'alive'; 'nothing' (to push); 'expired' (its host has removed them); 'away' (its host is
-- not heard of); 'replaced' (another machine has its host's name).
local job = read_job(ARG.id)
if not job then return told(false, nil, 'unknown') end
if job.push_op == ARG.op then return told(true, job) end -- whatever has become of it since
if not STATES[job.state].ended then return told(false, job, 'alive') end
if job.state ~= 'ERROR' or job.code ~= 'JOB_SYNC_FAILED' then return told(false, job, 'nothing') end
if job.expired_ms then return told(false, job, 'expired') end
local lease = tonumber(redis.call('ZSCORE', K.hosts(), job.host) or '0')
if lease <= NOW then return told(false, job, 'away') end
if job.instance and job.instance ~= redis.call('HGET', K.host(job.host), 'instance') then return told(false, job, 'replaced') end

-- What is said of its end is what was said when it first came here.
local said = job.message or ''
for _, text in ipairs(history(ARG.id)) do
  local _, state, attempt, _, message = unpack(cjson.decode(text))
  if attempt == tonumber(job.attempt) and state == 'FINALIZING' then
    said = message or ''
    break
  end
end
redis.call('HDEL', K.job(ARG.id), 'push_tries')
redis.call('HSET', K.job(ARG.id), 'push_op', ARG.op, 'push_asked', '1')
move(ARG.id, job, 'FINALIZING', {op = ARG.op, message = ARG.message, grace_ms = ARG.grace_ms})
redis.call('HSET', K.job(ARG.id), 'message', said)
return told(true, job)
