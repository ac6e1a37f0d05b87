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

local function lease_is_live(job)
  return job.lease_ms ~= nil and tonumber(job.lease_ms) > NOW
end
