-- Warns of budgets that are nearly spent, once a month each. Of those that are spent and say so, stops what runs, with its
-- data pushed, and holds what waits. Costs the projects with budgets, and the live jobs of those that are spent.
-- ARG: limit (of jobs), message.
-- Returns {warned = [{project, month, limit, spent}], stopped = [ids], held = [ids]}.
local warned, stopped, held = {}, {}, {}
local month = month_of(NOW)

local function warn(project, budget, spent)
  if budget.warn == 0 or spent * 100 < budget.limit * budget.warn then return end
  if redis.call('HGET', K.budget_warned(), project) == month then return end
  redis.call('HSET', K.budget_warned(), project, month)
  redis.call('XADD', K.events(), 'MAXLEN', '~', 10000, '*', 'budget', 'warned', 'project', project, 'month', month,
    'limit', int(budget.limit), 'spent', int(spent))
  warned[#warned + 1] = {project = project, month = month, limit = int(budget.limit), spent = int(spent)}
end

local function enforce(id, job)
  if price_of_minute(job) == 0 then return end
  if job.state == 'QUEUED' then
    hold_waiting(id, job, 'budget', tonumber(job.state_ms))
    held[#held + 1] = id
  elseif MOVES[job.state].INTERRUPTING then
    -- It does not run again by itself.
    redis.call('HSET', K.job(id), 'stop_asked', '1')
    move(id, job, 'INTERRUPTING', {cause = 'BUDGET_REACHED', message = ARG.message})
    stopped[#stopped + 1] = id
  end
end

for _, project in ipairs(redis.call('HKEYS', K.budgets())) do
  local budget = read_budget(project)
  warn(project, budget, spent_now(project))
  if at_its_limit(budget, project) then
    for _, id in ipairs(redis.call('SMEMBERS', K.live(project))) do
      if #stopped + #held >= ARG.limit then break end
      enforce(id, read_job(id))
    end
    let_in_all(project) -- of what costs nothing
  end
end
return reply({warned = warned, stopped = stopped, held = held})
