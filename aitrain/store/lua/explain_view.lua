-- Why a job waits: what there is to know. Changes nothing. Costs the hosts and the lines, not the jobs.
-- ARG: id, flavors (others that would do), most_ahead (so many jobs ahead of it are told).
-- Returns {state} of a job that does not wait, null if there is none, or waiting.ViewOfWaiting with these fields:
-- state, flavor, units, now_ms, since_ms, not_before_ms, kept_host; hosts = {offering, largest, able, away, cordoned, unfit,
-- aside, usable}; free = {open, full, kept}: the most units on one host; position, ahead_fitting (jobs ahead, those of no
-- more units); ahead = [[units, timeout_s]] or null if they are too many; profiles = [vacancy]; others = {flavor = most free}.
local id, job = ARG.id, read_job(ARG.id)
if not job then return reply(cjson.null) end
if job.state ~= 'QUEUED' then return reply({state = job.state}) end
local flavor, units = job.flavor, tonumber(job.units)
local since_ms = tonumber(job.not_before_ms or job.state_ms)
local room = remember(room_of)

-- The hosts that have a flavor, and why those that are large enough do not take the job. Ends at the first that could.
local function count_hosts()
  local counted = {offering = 0, largest = 0, able = 0, away = 0, cordoned = 0, unfit = 0, aside = 0, usable = 0}
  local leases = redis.call('ZRANGE', k_hosts(), 0, -1, 'WITHSCORES')
  for i = 1, #leases, 2 do
    local host, size = leases[i], redis.call('HLEN', k_host_units(leases[i], flavor))
    counted.offering = counted.offering + (size > 0 and 1 or 0)
    counted.largest = math.max(counted.largest, size)
    if size >= units then
      local why = 'usable'
      if tonumber(leases[i + 1]) <= NOW then
        why = 'away'
      elseif not redis.call('ZSCORE', k_free(flavor), host) then
        why = 'cordoned'
      elseif not room(host) then
        why = 'unfit'
      elseif vacancy(flavor, host, 0, nil, true)[4] < units then
        why = 'aside'
      end
      counted.able, counted[why] = counted.able + 1, counted[why] + 1
      if why == 'usable' then break end
    end
  end
  return counted
end

local function kept_hosts(of)
  local kept, flat = {}, redis.call('HGETALL', k_kept(of))
  for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end
  return kept
end

-- The most free units on a host without room for another job.
local function most_full(open)
  for i = #open, 1, -1 do
    if room(open[i].host) and room(open[i].host) < 1 then return open[i].free end
  end
  return 0
end

local function count(line, from, to) return redis.call('ZCOUNT', k_line(flavor, int(line.units), line.project), from, to) end

local level = 100 - tonumber(job.priority)
local level_from, score = level * PRIORITY_SPAN, level * PRIORITY_SPAN + since_ms

-- Of a project's jobs of this priority in line before a score: how many there are, and their units.
local function before(lines, at)
  local number, given = 0, 0
  for _, line in ipairs(lines) do
    local here = count(line, int(level_from), '(' .. int(at))
    number, given = number + here, given + line.units * here
  end
  return number, given
end

-- Up to which score another project's jobs of this priority have their turn first: until they are given `spare` units, by
-- which its project then uses as much; arrival decides between equals. They have it in order of arrival, whichever line
-- they stand in, so that time is searched for, by halves and by proportion in turn. Exact but for jobs of one ms.
local function turn_ends(lines, spare)
  local low, low_number, low_given = score, 0, 0
  for _, line in ipairs(lines) do low = math.min(low, line.level == level and line.score - 1 or level_from) end
  local high, by_half = level_from + NOW + 1, false
  local high_number, high_given = before(lines, high)
  while high - low > 1 and high_number > low_number do
    -- Of a single job in between, all that is before it is known.
    if high_number - low_number == 1 and low_given < spare then return high - 1 end
    local part = by_half and 0.5 or (spare - low_given) / (high_given - low_given)
    local middle = math.max(low + 1, math.min(high - 1, math.floor(low + (high - low) * part)))
    local number, given = before(lines, middle)
    if given < spare or (given == spare and middle < score) then
      low, low_number, low_given = middle, number, given
    else
      high, high_number, high_given = middle, number, given
    end
    by_half = not by_half
  end
  return low
end

-- How many jobs have their turn before this one, and how many of those ask for no more units: all of a higher priority; of
-- the same, those of each project until its use passes what this one's project has when its turn comes.
local function count_ahead(all)
  local projects, ahead, fitting = {}, 0, 0
  local function add(line, number)
    ahead = ahead + number
    if line.units <= units then fitting = fitting + number end
  end
  for _, line in ipairs(all.lines) do
    local higher = line.level < level and count(line, '-inf', '(' .. int(level_from)) or 0
    local project = projects[line.project] or {use = all.use[line.project], lines = {}}
    project.use = project.use + higher * line.units
    if line.level <= level then table.insert(project.lines, line) end
    projects[line.project] = project
    add(line, higher)
  end
  local own = projects[job.project]
  local turn_at = own and own.use or 0
  for _, line in ipairs(own and own.lines or {}) do
    local before = count(line, int(level_from), '(' .. int(score))
    add(line, before)
    turn_at = turn_at + before * line.units
  end
  for name, project in pairs(projects) do
    if name ~= job.project and #project.lines > 0 and project.use <= turn_at then
      local ends = turn_ends(project.lines, turn_at - project.use)
      for _, line in ipairs(project.lines) do add(line, count(line, int(level_from), int(ends))) end
    end
  end
  return ahead, fitting
end

local all, kept = lines_of(flavor), kept_hosts(flavor)
local open, _, most, most_kept = free_hosts(flavor, kept, room)
local found, place = ranked(all, 1, math.huge, ARG.most_ahead, 0), nil
for number, other in ipairs(found) do
  if other.id == id then place = number end
end
local ahead, fitting, rows = {}, 0, {}
for number = 1, (place or 1) - 1 do
  ahead[number] = {found[number].units, tonumber(redis.call('HGET', k_job(found[number].id), 'timeout_s'))}
  if found[number].units <= units then fitting = fitting + 1 end
end
if place then rows = profiles(flavor, open, {}, units) end
if job.kept_host then rows[#rows + 1] = vacancy(flavor, job.kept_host, 0, id, true) end
local position = place
if not place then
  local number
  number, fitting = count_ahead(all)
  position = number + 1
end

local others = {}
for _, other in ipairs(ARG.flavors) do
  local _, _, free = free_hosts(other, kept_hosts(other), room)
  others[other] = free
end
return reply({
  state = job.state, flavor = flavor, units = units, now_ms = NOW, since_ms = since_ms, kept_host = job.kept_host or '',
  not_before_ms = tonumber(job.not_before_ms or '0'), hosts = count_hosts(), position = position,
  free = {open = most, full = most_full(open), kept = most_kept}, ahead_fitting = fitting,
  ahead = place and ahead or cjson.null, profiles = rows, others = others,
})
