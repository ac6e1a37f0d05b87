-- The jobs of hosts that are lost. Changes nothing but its own notes. Costs the hosts that are away, and their jobs.
-- ARG: gap_ms, finalizing_ms (least silence for jobs whose results may still come), limit.
-- Returns their ids. A sweep that itself was away for longer than gap_ms (the store or beat was down) gives every host the
-- whole time again: what was down may have been this side.
local note = redis.call('HMGET', K.sweeps(), 'lost_hosts.looked', 'lost_hosts.since')
local since = math.min(tonumber(note[2] or '0'), NOW)
if not note[1] or NOW - note[1] > ARG.gap_ms then since = NOW end
redis.call('HSET', K.sweeps(), 'lost_hosts.looked', int(NOW), 'lost_hosts.since', int(since))
local ids = {}
for _, host in ipairs(redis.call('ZRANGEBYSCORE', K.hosts(), '-inf', int(NOW))) do
  local lost_ms = from_host(redis.call('HGET', K.host(host), 'lost_ms')) or 0
  if is_lost(host, 0) and NOW - since >= lost_ms then
    for _, id in ipairs(redis.call('SMEMBERS', K.host_jobs(host))) do
      local waits = redis.call('HGET', K.job(id), 'state') == 'FINALIZING' and not is_lost(host, ARG.finalizing_ms)
      if not waits and #ids < ARG.limit then ids[#ids + 1] = id end
    end
  end
end
return reply(ids)
