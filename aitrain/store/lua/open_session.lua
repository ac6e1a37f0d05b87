-- Asks the agent of a running job's host for something, once, however often it is sent.
-- ARG: token, id, ask (JSON), ttl_s.
-- Returns {state, host, fence, attempt, away}; no state: there is no such job. Opened if RUNNING and not away.
local job = redis.call('HMGET', K.job(ARG.id), 'state', 'host', 'fence', 'attempt', 'deleted_ms')
if not job[1] or job[5] then return reply({}) end
local answer = {state = job[1], host = job[2], fence = job[3], attempt = job[4]}
if job[1] ~= 'RUNNING' then return reply(answer) end
answer.away = tonumber(redis.call('ZSCORE', K.hosts(), job[2]) or 0) <= NOW
if not answer.away and redis.call('EXISTS', K.session(ARG.token)) == 0 then
  redis.call('HSET', K.session(ARG.token), 'id', ARG.id, 'fence', job[3], 'attempt', job[4], 'ask', ARG.ask,
    'client_ms', int(NOW))
  redis.call('EXPIRE', K.session(ARG.token), ARG.ttl_s)
  redis.call('RPUSH', K.asks(job[2]), ARG.token)
  redis.call('EXPIRE', K.asks(job[2]), ARG.ttl_s)
end
return reply(answer)
