-- The units of hosts: reserving and releasing them.

local function free_units(host, flavor, change)
  -- A host that offers the flavor no more is not in the index, and must not come back by a release.
  redis.call('ZADD', k_free(flavor), 'XX', 'INCR', change, host)
end

local function reserve(job, host, units)
  for _, unit in ipairs(units) do redis.call('HSET', k_host_units(host, job.flavor), unit, job.id) end
  free_units(host, job.flavor, -#units)
end

local function release(job)
  local key, freed = k_host_units(job.host, job.flavor), 0
  for _, unit in ipairs(cjson.decode(job.unit_ids or '[]')) do
    if redis.call('HGET', key, unit) == job.id then
      if redis.call('SISMEMBER', k_host_offers(job.host, job.flavor), unit) == 1 then
        redis.call('HSET', key, unit, '')
        freed = freed + 1
      else -- withdrawn while the job held it
        redis.call('HDEL', key, unit)
      end
    end
  end
  free_units(job.host, job.flavor, freed)
end
