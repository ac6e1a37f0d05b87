-- What submissions and orders have in common.

-- How many jobs wait for the flavors of which units are free. open: as recount and open_units in units.lua return it.
local function waiting_for(open)
  local waiting = 0
  for flavor, free in pairs(open) do
    if free > 0 then waiting = waiting + waiting_count(flavor) end
  end
  return waiting
end

-- How many jobs may start by a move of this one: those that wait for its flavor, and, if it left a host that was full, for
-- whatever is free there.
local function waiting_after(job)
  local waiting = waiting_count(job.flavor)
  if job.host and not STATES[job.state].on_host and room_of(job.host) == 1 then
    waiting = math.max(waiting, waiting_for(open_units(job.host)))
  end
  return waiting
end

-- Whether a project may hold so many more units of the job's kind: nil, or the limit and what is in use.
local function over_quota(job, units)
  local limit = tonumber(redis.call('HGET', k_quota_limit(), quota_field(job)) or '-1')
  local used = tonumber(redis.call('HGET', k_quota_used(), quota_field(job)) or '0')
  if limit >= 0 and used + units > limit then return {refused = true, limit = limit, used = used} end
end

-- What the orders (stop, start, delete, edit) answer: done, the state that stands (null: no such job), a word on why.
local function told(done, job, why)
  return reply({done = done, state = job and job.state or cjson.null, why = why})
end
