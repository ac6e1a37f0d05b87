-- What submissions and orders have in common.

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
