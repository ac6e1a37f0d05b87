-- Bills running jobs of which a minute may have begun. Costs what is due.
-- ARG: limit; until_ms (0 for now): only what was due by then, so that a pass of many calls comes to an end.
-- Returns {looked, minutes (written), until_ms}. A second beat, or a call that is sent again, changes nothing more.
-- A clock that is set back in the middle of a pass does not make it endless.
local until_ms = ARG.until_ms > 0 and math.min(ARG.until_ms, NOW) or NOW
local ids, minutes = redis.call('ZRANGEBYSCORE', K.billing(), '-inf', int(until_ms), 'LIMIT', 0, ARG.limit), 0
for _, id in ipairs(ids) do
  local values, job = redis.call('HMGET', K.job(id), unpack(BILLED_FIELDS)), {id = id}
  for i, name in ipairs(BILLED_FIELDS) do job[name] = values[i] or nil end
  local before = tonumber(job.billed_minutes or '0')
  bill_again(id, bill(id, job))
  minutes = minutes + tonumber(job.billed_minutes or '0') - before
end
return reply({looked = #ids, minutes = minutes, until_ms = until_ms})
