-- What placement needs to know, of the flavors for which something waits and something is free. Changes nothing.
-- ARG: window (most waiting jobs a flavor to look at).
-- Returns {waiting = {flavor = [[id, fence, kind, units, waited_ms, avoid]]}, vacancies = {flavor = [[host, [units], room, capacity]]}}.
local waiting, vacancies = {}, {}
for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
  -- A retry's time lies ahead until it may be placed.
  local ids = redis.call('ZRANGEBYSCORE', k_waiting(flavor), '-inf', int(NOW), 'WITHSCORES', 'LIMIT', 0, ARG.window)
  if #ids > 0 then
    local open = {}
    for _, host in ipairs(redis.call('ZRANGEBYSCORE', k_free(flavor), 1, '+inf')) do
      local lease = tonumber(redis.call('ZSCORE', k_hosts(), host) or '0')
      local held = redis.call('HMGET', k_host(host), 'max_jobs', 'fit')
      local room = tonumber(held[1]) - redis.call('SCARD', k_host_jobs(host))
      if lease > NOW and room > 0 and held[2] ~= '0' then
        local units = {}
        local flat = redis.call('HGETALL', k_host_units(host, flavor))
        for i = 1, #flat, 2 do
          if flat[i + 1] == '' then units[#units + 1] = flat[i] end
        end
        table.sort(units)
        open[#open + 1] = {host, units, room, #flat / 2}
      end
    end
    if #open > 0 then
      local jobs = {}
      for i = 1, #ids, 2 do
        local held = redis.call('HMGET', k_job(ids[i]), 'fence', 'kind', 'units', 'avoid')
        jobs[#jobs + 1] = {ids[i], held[1], held[2], tonumber(held[3]), NOW - ids[i + 1], held[4] or ''}
      end
      waiting[flavor], vacancies[flavor] = jobs, open
    end
  end
end
return reply({waiting = waiting, vacancies = vacancies})
