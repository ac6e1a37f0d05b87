-- Forgets a host: what it offers, what was said of it, its places in every index.
-- ARG: host, op, force (give up results that it has yet to push, if it is lost), message, keep_ms (how long they are to be
--      kept should it come back; see move in shared/moves.lua).
-- Returns {done, why, jobs}. why: 'unknown_host'; 'alive' (its lease holds); 'jobs' (it has jobs; their ids); 'not_lost' (its
-- jobs may still end well: it is not lost yet).
-- A removed host that starts again joins as a new one.
local host = ARG.host
if redis.call('EXISTS', K.host(host)) == 0 then
  local done = redis.call('HGET', K.removed(), host) == ARG.op
  return reply({done = done, why = not done and 'unknown_host' or nil, jobs = {}})
end
local lease = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0')
if lease > NOW then return reply({done = false, why = 'alive', jobs = {}}) end
local ids, given_up = redis.call('SMEMBERS', K.host_jobs(host)), {}
if #ids > 0 and ARG.force and not is_lost(host, 0) then return reply({done = false, why = 'not_lost', jobs = ids}) end
for _, id in ipairs(ids) do
  local job = read_job(id)
  -- The sweep for lost hosts takes the others away from it by their own rules.
  if not ARG.force or not job or job.state ~= 'FINALIZING' then return reply({done = false, why = 'jobs', jobs = ids}) end
  given_up[#given_up + 1] = job
end
for _, job in ipairs(given_up) do
  move(job.id, job, 'ERROR', {code = 'JOB_SYNC_FAILED', cause = 'HOST_LOST', message = ARG.message, keep_ms = ARG.keep_ms})
end
for _, flavor in ipairs(redis.call('SMEMBERS', K.flavors())) do
  redis.call('DEL', K.host_units(host, flavor), K.host_offers(host, flavor))
  redis.call('ZREM', K.free(flavor), host)
end
redis.call('DEL', K.host(host), K.host_aside(host), K.host_versions(host), K.host_jobs(host), K.delivered(host))
redis.call('DEL', K.host_key(host)) -- alone: an operator may do nothing else to it
redis.call('ZREM', K.hosts(), host)
redis.call('ZREM', K.drains(), host)
for _, hash in ipairs({K.canary(), K.canary_trouble()}) do redis.call('HDEL', hash, 'worker/' .. host, 'agent/' .. host) end
redis.call('HSET', K.removed(), host, ARG.op)
return reply({done = true, jobs = ids})
