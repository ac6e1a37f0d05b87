-- The units of hosts. What stands of a unit in k_host_units: '' (free), the id of the job that holds it, or ASIDE (no job
-- holds it, and none gets it). A unit is aside while it has an entry in k_host_aside; one that is held then becomes it when
-- its job gives it back.

local ASIDE = '!'

local function unit_name(flavor, unit) return flavor .. '/' .. unit end

-- What stands of a unit that no job holds.
local function unheld(host, flavor, unit)
  return redis.call('HEXISTS', k_host_aside(host), unit_name(flavor, unit)) == 1 and ASIDE or ''
end

-- Whether a unit that a job holds is there for another one after it.
local function comes_back(host, flavor, unit)
  return unheld(host, flavor, unit) == '' and redis.call('SISMEMBER', k_host_offers(host, flavor), unit) == 1
end

local function free_units(host, flavor, change)
  -- A host that offers the flavor no more, or is cordoned, is not in the index, and must not come back by a release.
  redis.call('ZADD', k_free(flavor), 'XX', 'INCR', change, host)
end

local function reserve(job, host, units)
  for _, unit in ipairs(units) do redis.call('HSET', k_host_units(host, job.flavor), unit, job.id) end
  free_units(host, job.flavor, -#units)
  change_use(job, #units)
end

local function release(job)
  local key, freed, units = k_host_units(job.host, job.flavor), 0, cjson.decode(job.unit_ids or '[]')
  for _, unit in ipairs(units) do
    if redis.call('HGET', key, unit) == job.id then
      if redis.call('SISMEMBER', k_host_offers(job.host, job.flavor), unit) == 1 then
        local stands = unheld(job.host, job.flavor, unit)
        redis.call('HSET', key, unit, stands)
        if stands == '' then freed = freed + 1 end
      else -- withdrawn while the job held it
        redis.call('HDEL', key, unit)
      end
    end
  end
  free_units(job.host, job.flavor, freed)
  change_use(job, -#units)
end

-- Makes what stands of a host's units, and its places in the index of free ones, follow from the facts: what it offers,
-- what is aside, what is held, whether it is cordoned. Returns how many units of each flavor jobs may have now.
local function recount(host)
  local cordoned, open = redis.call('HEXISTS', k_host(host), 'cordon_ms') == 1, {}
  for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
    local key, offers, free = k_host_units(host, flavor), k_host_offers(host, flavor), 0
    local flat = redis.call('HGETALL', key)
    for i = 1, #flat, 2 do
      local unit, stands = flat[i], flat[i + 1]
      if stands == '' or stands == ASIDE then
        if redis.call('SISMEMBER', offers, unit) == 0 then
          redis.call('HDEL', key, unit)
        else
          local should = unheld(host, flavor, unit)
          if should ~= stands then redis.call('HSET', key, unit, should) end
          if should == '' then free = free + 1 end
        end
      end
    end
    if cordoned or redis.call('EXISTS', offers) == 0 then
      redis.call('ZREM', k_free(flavor), host)
    else
      redis.call('ZADD', k_free(flavor), free, host)
      open[flavor] = free
    end
  end
  return open
end

-- How many units of each flavor jobs may have now on a host, as it stands.
local function open_units(host)
  local open = {}
  for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
    open[flavor] = tonumber(redis.call('ZSCORE', k_free(flavor), host))
  end
  return open
end

-- Why a unit is aside; {} if it is not. Fields: agent, agent_ms (its agent finds it unfit: why, since when); operator,
-- operator_by, operator_ms (somebody cordoned it: why, who, when), drain_ms (as of a host).
local function read_aside(host, name)
  local text = redis.call('HGET', k_host_aside(host), name)
  return text and cjson.decode(text) or {}
end

local function write_aside(host, name, entry)
  if next(entry) == nil then
    redis.call('HDEL', k_host_aside(host), name)
  else
    redis.call('HSET', k_host_aside(host), name, cjson.encode(entry))
  end
end

-- The full name of a unit that a host offers, or offered while it was set aside or held. asked: its id, or its full name.
-- Returns nil and why not: 'unknown_unit', or 'ambiguous_unit' if several flavors have one of this id.
local function find_unit(host, asked)
  local names = {}
  for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
    for _, unit in ipairs(redis.call('HKEYS', k_host_units(host, flavor))) do names[unit_name(flavor, unit)] = unit end
  end
  for _, name in ipairs(redis.call('HKEYS', k_host_aside(host))) do names[name] = name:match('^[^/]*/(.*)$') end
  if names[asked] then return asked end
  local found = {}
  for name, unit in pairs(names) do
    if unit == asked then found[#found + 1] = name end
  end
  if #found == 1 then return found[1] end
  return nil, #found == 0 and 'unknown_unit' or 'ambiguous_unit'
end

-- Sets what a host's agent finds unfit: the whole of it, or what is beside that which it found before. faults: {flavor =
-- {unit = reason}}. Returns whether that is news.
local function set_faults(host, faults, beside)
  local found, changed = {}, false
  for flavor, units in pairs(faults) do
    for unit, reason in pairs(units) do found[unit_name(flavor, unit)] = reason end
  end
  for _, name in ipairs(redis.call('HKEYS', k_host_aside(host))) do
    local entry = read_aside(host, name)
    if entry.agent and not found[name] and not beside then
      entry.agent, entry.agent_ms = nil, nil
      write_aside(host, name, entry)
      changed = true
    end
  end
  for name, reason in pairs(found) do
    local entry = read_aside(host, name)
    if entry.agent ~= reason then
      entry.agent, entry.agent_ms = reason, entry.agent and entry.agent_ms or NOW
      write_aside(host, name, entry)
      changed = true
    end
  end
  return changed
end
