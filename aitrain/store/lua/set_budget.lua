-- Sets or takes away a project's budget, and lets held jobs in that it can afford now. Costs the project's live jobs.
-- ARG: project, budget ([limit, warn, rule, stop, beyond_ms], as text; '' for none).
-- Returns {}.
local before = redis.call('HGET', K.budgets(), ARG.project)
if ARG.budget == '' then
  redis.call('HDEL', K.budgets(), ARG.project)
else
  redis.call('HSET', K.budgets(), ARG.project, ARG.budget)
end
if (before or '') ~= ARG.budget then redis.call('HDEL', K.budget_warned(), ARG.project) end
for _, id in ipairs(redis.call('SMEMBERS', K.live(ARG.project))) do keep_aside(id, read_job(id)) end
let_in_all(ARG.project)
return reply({})
