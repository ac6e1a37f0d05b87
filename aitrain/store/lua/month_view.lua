-- How a month of a project's ledger stands. Changes nothing.
-- ARG: project, month ('' for the one that it is now).
-- Returns {now_ms, month, lines, jobs, spent, pruned (JSON, absent if it was not)}.
local month = ARG.month ~= '' and ARG.month or (month_of(NOW))
return reply({
  now_ms = NOW, month = month,
  lines = redis.call('HLEN', K.ledger(ARG.project, month)),
  jobs = redis.call('HLEN', K.ledger_jobs(ARG.project, month)),
  spent = redis.call('HGET', K.spent(month), ARG.project) or '0',
  pruned = redis.call('HGET', K.pruned(ARG.project), month) or nil,
})
