-- The jobs of hosts that have been away for long. Changes nothing but its own notes. Costs the hosts that are away.
-- ARG: away_ms (since their last heartbeat), ttl_ms (of their leases), gap_ms, limit.
-- Returns their ids. A sweep that itself was away for longer than gap_ms (the store or beat was down) gives every host the
-- whole time again: what was down may have been this side.
local note = redis.call('HMGET', k_sweeps(), 'lost_hosts.looked', 'lost_hosts.since')
local since = tonumber(note[2] or '0')
if not note[1] or NOW - note[1] > ARG.gap_ms then since = NOW end
redis.call('HSET', k_sweeps(), 'lost_hosts.looked', int(NOW), 'lost_hosts.since', int(since))
local ids = {}
if NOW - since < ARG.away_ms then return reply(ids) end
for _, host in ipairs(redis.call('ZRANGEBYSCORE', k_hosts(), '-inf', int(NOW - ARG.away_ms + ARG.ttl_ms))) do
  for _, id in ipairs(redis.call('SMEMBERS', k_host_jobs(host))) do
    if #ids < ARG.limit then ids[#ids + 1] = id end
  end
end
return reply(ids)
