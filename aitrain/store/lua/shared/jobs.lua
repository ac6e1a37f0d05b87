-- Reading a job, and what follows from its fields alone.

-- nil if there is no such job, or if it was deleted.
local function read_job(id)
  local flat = redis.call('HGETALL', K.job(id))
  if #flat == 0 then return nil end
  local job = {}
  for i = 1, #flat, 2 do job[flat[i]] = flat[i + 1] end
  job.id = id
  if job.deleted_ms then return nil end
  if STATES[job.state].ended then
    for name, value in pairs(settled(id)) do
      if name ~= 'history' then job[name] = job[name] or value end
    end
  end
  return job
end

-- Some jobs of a project that have not ended and need something. needs: of a spec, as JSON; most: so many are looked for.
-- Costs what is alive, not what exists.
local function jobs_in_need(project, needs, most)
  local jobs = {}
  for state, row in pairs(STATES) do
    for _, id in ipairs(row.ended and {} or redis.call('ZRANGE', K.state(state), 0, -1)) do
      if #jobs < most and redis.call('HGET', K.job(id), 'project') == project
        and needs(redis.call('HGET', K.job(id), 'spec')) then
        jobs[#jobs + 1] = id
      end
    end
  end
  return jobs
end

local function lease_is_live(job)
  return job.lease_ms ~= nil and tonumber(job.lease_ms) > NOW
end
