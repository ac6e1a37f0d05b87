-- What hosts have left, as placement sees them.

-- How many jobs a host may still take on; nil if it may take none at all: it is away, or cannot start containers.
local function room_of(host)
  local lease = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0')
  if lease <= NOW then return nil end
  local held = redis.call('HMGET', K.host(host), 'max_jobs', 'fit')
  if held[2] == '0' then return nil end
  return tonumber(held[1]) - redis.call('SCARD', K.host_jobs(host))
end

-- A function of one thing, asked once for each.
local function remember(ask)
  local known = {}
  return function(what)
    if known[what] == nil then known[what] = ask(what) or false end
    return known[what] or nil
  end
end

-- Hosts with free units, [{host, free}] from the fewest on, without those that are kept ({host = ...}); how many units that
-- are; and the most on a host that may take a job now, of those and of the kept ones. room: room_of, remembered.
local function free_hosts(flavor, kept, room)
  local open, total, most, most_kept = {}, 0, 0, 0
  local flat = redis.call('ZRANGEBYSCORE', K.free(flavor), 1, '+inf', 'WITHSCORES')
  for i = 1, #flat, 2 do
    local host, free = flat[i], tonumber(flat[i + 1])
    if kept[host] then
      if (room(host) or 0) > 0 then most_kept = math.max(most_kept, free) end
    else
      open[#open + 1], total = {host = host, free = free}, total + free
    end
  end
  for i = #open, 1, -1 do
    if (room(open[i].host) or 0) > 0 then most = open[i].free break end
  end
  return open, total, most, most_kept
end

-- In how many ms a job gives its units back at the latest; -1: nobody knows.
local function release_ms(id)
  local held = redis.call('HMGET', K.job(id), 'state', 'deadline_ms', 'timeout_s')
  if held[1] == 'RUNNING' then return held[2] and math.max(0, held[2] - NOW) or -1 end
  if held[1] == 'INITIALIZING' or held[1] == 'PENDING' then -- its timeout counts from when it runs
    return tonumber(held[3]) > 0 and held[3] * 1000 or -1
  end
  return 0 -- it is being stopped
end

-- [host, [free units], room, capacity, job it is kept for, [[units, ms]] or null]; see placement.Vacancy.
local function vacancy(flavor, host, room, kept_for, profiled)
  local flat = redis.call('HGETALL', K.host_units(host, flavor))
  local free, capacity, releases, holders = {}, 0, {}, {}
  local all_come_back = not profiled or (redis.call('EXISTS', K.host_aside(host)) == 0
    and redis.call('SCARD', K.host_offers(host, flavor)) == #flat / 2)
  for i = 1, #flat, 2 do
    local unit, stands = flat[i], flat[i + 1]
    if stands == '' then
      free[#free + 1] = unit
      capacity = capacity + 1
    elseif stands ~= ASIDE and (all_come_back or comes_back(host, flavor, unit)) then
      capacity = capacity + 1
      if profiled and not holders[stands] then
        holders[stands] = {0, release_ms(stands)}
        releases[#releases + 1] = holders[stands]
      end
      if profiled then holders[stands][1] = holders[stands][1] + 1 end
    end
  end
  table.sort(free)
  return {host, free, room, capacity, kept_for or '', profiled and releases or cjson.null}
end

local MOST_DEADLINES, MOST_FREE, MOST_LARGE = 256, 32, 32

-- Hosts on which units come free first, without those that are kept: the ones with most free units (open: [{host, free}]
-- by free units), those of the jobs whose deadlines come first, and, if none of them has so many units, larger ones.
-- Returns their vacancies, and the most units that one has.
local function profiles(flavor, open, kept, units)
  local found, known, largest = {}, {}, 0
  local function add(host)
    if known[host] or kept[host] or not redis.call('ZSCORE', K.free(flavor), host) then return false end
    known[host] = true
    local room = room_of(host)
    if not room then return false end
    found[#found + 1] = vacancy(flavor, host, room, nil, true)
    largest = math.max(largest, found[#found][4])
    return true
  end
  for i = #open, math.max(1, #open - MOST_FREE + 1), -1 do add(open[i].host) end
  for _, id in ipairs(redis.call('ZRANGE', K.deadlines(), 0, MOST_DEADLINES - 1)) do
    local held = redis.call('HMGET', K.job(id), 'flavor', 'host')
    if held[1] == flavor then add(held[2]) end
  end
  local added = 0
  for _, host in ipairs(units > largest and redis.call('ZRANGE', K.free(flavor), 0, -1) or {}) do
    if redis.call('HLEN', K.host_units(host, flavor)) >= units and add(host) then added = added + 1 end
    if added == MOST_LARGE then break end
  end
  return found, largest
end
