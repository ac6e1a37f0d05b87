-- Budgets: what a project's jobs may cost in a month, at the most. All figures are as in K.spent: minutes x units x hourly
-- price, in millionths. Domain/budget.py says the same as pure functions.

-- nil if the project has none. rule: 'refuse' compares each new job with what is left; 'reserve' also sets the worst that a
-- live job may yet cost aside. stop: at the limit jobs are stopped and held. beyond_ms: how long a job may run beyond its
-- timeout until it is stopped.
local function read_budget(project)
  local text = redis.call('HGET', K.budgets(), project)
  if not text then return nil end
  local limit, warn, rule, stop, beyond_ms = unpack(cjson.decode(text))
  return {limit = limit, warn = warn, rule = rule, stop = stop == 1, beyond_ms = beyond_ms}
end

local function spent_now(project)
  local month = month_of(NOW)
  return tonumber(redis.call('HGET', K.spent(month), project) or '0')
end

-- By the latest price that is known, also if it counts from a moment ahead only.
local function price_of_minute(job)
  return tonumber(job.units) * math.floor(tonumber((price_at(job, math.huge))) * 1e6 + 0.5)
end

-- What an attempt may yet cost at the most: nil if that has no bound. billed: minutes of it in the ledger.
local function worst_cost(job, budget, billed)
  local price, timeout_s = price_of_minute(job), tonumber(job.timeout_s)
  if price == 0 then return 0 end
  if timeout_s == 0 then return nil end
  local minutes = math.max(1, math.ceil((timeout_s * 1000 + budget.beyond_ms) / MINUTE_MS))
  return math.max(0, minutes - billed) * price
end

-- Whether a job's project cannot afford it: nil, or what is in the way. billed: minutes of the attempt in the ledger.
local function over_budget(job, billed)
  local budget = read_budget(job.project)
  if not budget then return nil end
  local asked = worst_cost(job, budget, billed)
  if asked == 0 then return nil end
  if not asked then return {refused = 'timeout', project = job.project} end
  local spent, aside = spent_now(job.project), 0
  if budget.rule == 'reserve' then
    aside = tonumber(redis.call('HGET', K.set_aside(), job.project) or '0') - tonumber(job.set_aside or '0')
  end
  if spent + aside + asked <= budget.limit then return nil end
  -- As text: cjson writes 14 digits of a number.
  return {
    refused = 'budget', project = job.project, month = (month_of(NOW)), limit = int(budget.limit), spent = int(spent),
    set_aside = int(aside), asked = int(asked),
  }
end

local function at_its_limit(budget, project) return budget.stop and spent_now(project) >= budget.limit end

-- Whether a job that was accepted once may not wait for a host now that it is queued again.
local function budget_holds(job)
  local budget = read_budget(job.project)
  if not budget or price_of_minute(job) == 0 then return false end
  if budget.rule == 'reserve' and over_budget(job, 0) then return true end
  return at_its_limit(budget, job.project)
end

-- Makes what is set aside for a job follow from the facts: the most that it may yet cost, while it is live.
local function keep_aside(id, job)
  local budget, should = read_budget(job.project), 0
  local live = STATES[job.state].runs or (STATES[job.state].counted and not job.held)
  if budget and budget.rule == 'reserve' and live then
    should = worst_cost(job, budget, tonumber(job.billed_minutes or '0')) or 0
  end
  local before = tonumber(job.set_aside or '0')
  if should == before then return end
  redis.call('HINCRBY', K.set_aside(), job.project, int(should - before))
  if should > 0 then
    job.set_aside = int(should)
    redis.call('HSET', K.job(id), 'set_aside', job.set_aside)
  else
    job.set_aside = nil
    redis.call('HDEL', K.job(id), 'set_aside')
  end
end
