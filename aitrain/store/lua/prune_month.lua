-- Removes a month of a project's ledger, and leaves what it came to. The caller has an export of it, and has seen that no
-- minute of the month can be billed any more (see Months.month_is_open), so nothing comes between its look and this.
-- ARG: project, month, lines, jobs, spent (what the caller saw, counted), pruned (what is left of it, JSON).
-- Returns {pruned}. false: the month is not what the caller saw. One that is removed already: true.
local ledger, jobs = K.ledger(ARG.project, ARG.month), K.ledger_jobs(ARG.project, ARG.month)
if redis.call('HEXISTS', K.pruned(ARG.project), ARG.month) == 1 then return reply({pruned = true}) end
if redis.call('HLEN', ledger) ~= ARG.lines or redis.call('HLEN', jobs) ~= ARG.jobs
  or (redis.call('HGET', K.spent(ARG.month), ARG.project) or '0') ~= ARG.spent then
  return reply({pruned = false})
end
redis.call('HSET', K.pruned(ARG.project), ARG.month, ARG.pruned)
-- Redis gives the memory back in a thread of its own: a million lines stop nobody.
redis.call('UNLINK', ledger, jobs)
redis.call('SREM', K.ledger_months(ARG.project), ARG.month)
return reply({pruned = true})
