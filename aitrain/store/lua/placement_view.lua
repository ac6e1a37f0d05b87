-- What placement needs to know, of the flavors for which something waits and something is free. Has retries line up that
-- are due, and gives up kept hosts that can serve no more; changes nothing else. Costs what is free and how many lines there
-- are, not how many jobs wait in them.
-- ARG: patience_ms, window (most jobs of a flavor to look at).
-- Returns {flavor = {jobs = [job], hosts = [vacancy], use = {project = units}, keeps, profiled}}; see placement.FlavorView.
-- job: [id, fence, kind, units, project, priority, waited_ms, timeout_s, avoid, kept_host]; vacancy: see shared/vacancies.lua.
local MOST_HOSTS, MOST_ON_KEPT = 256, 64

-- The kept hosts of a flavor that still serve: {host = vacancy}, and how many.
local function keeps_of(flavor)
  local kept, flat, count = {}, redis.call('HGETALL', k_kept(flavor)), 0
  for i = 1, #flat, 2 do
    local host, id = flat[i], flat[i + 1]
    local room = redis.call('ZSCORE', k_free(flavor), host) and room_of(host)
    local row = room and vacancy(flavor, host, room, id, true)
    if row and row[4] >= tonumber(redis.call('HGET', k_job(id), 'units')) then
      kept[host], count = row, count + 1
    else
      drop_keep(id, flavor, host)
    end
  end
  return kept, count
end

-- For each number of units that is asked for, the fullest hosts that fit, as many as all jobs together could need, beside
-- those that some job avoids; at least one, however many others there are: a job that fits nowhere in this look, although
-- it does in truth, would keep those behind it from their turn.
local function fullest(open, room, jobs, avoided, add)
  local sizes, seen, count = {}, {}, 0
  for _, job in ipairs(jobs) do
    if not seen[job.units] then sizes[#sizes + 1], seen[job.units] = job.units, true end
  end
  table.sort(sizes)
  for _, units in ipairs(sizes) do
    local places = 0
    for _, one in ipairs(open) do
      if places >= #jobs or (places > 0 and count >= MOST_HOSTS) then break end
      if one.free >= units and (room(one.host) or 0) > 0 then
        if not avoided[one.host] then places = places + math.floor(one.free / units) end
        if add(one.host) then count = count + 1 end
      end
    end
  end
end

local function look(flavor)
  local room = remember(room_of)
  local kept, kept_count = keeps_of(flavor)
  local open, total, most, most_kept = free_hosts(flavor, kept, room)
  if math.max(most, most_kept) == 0 then return nil end

  local all = lines_of(flavor)
  local jobs, known, hosts, there = {}, {}, {}, {}
  local function consider(found, limit)
    for _, job in ipairs(found) do
      if not known[job.id] and limit > 0 then
        jobs[#jobs + 1], known[job.id], limit = job, true, limit - 1
      end
    end
  end
  for _, row in pairs(kept) do
    local id = row[5]
    local held = redis.call('HMGET', k_job(id), 'units', 'project')
    local score = redis.call('ZSCORE', k_line(flavor, held[1], held[2]), id)
    consider({{id = id, units = tonumber(held[1]), project = held[2], score = tonumber(score)}}, 1)
  end
  local keeps, profiled = math.max(1, math.floor(redis.call('ZCARD', k_free(flavor)) / 10)) - kept_count, false
  if most > 0 and keeps > 0 then
    local starving = ranked(all, most + 1, math.huge, keeps + kept_count, ARG.patience_ms)
    local largest = 0
    for _, job in ipairs(starving) do
      if not known[job.id] then largest = math.max(largest, job.units) end
    end
    if largest > 0 then
      hosts, there.largest = profiles(flavor, open, kept, largest)
      if there.largest < largest then
        starving = ranked(all, most + 1, there.largest, keeps + kept_count, ARG.patience_ms)
      end
      consider(starving, keeps)
      profiled = true
    end
  end
  local on_open = most > 0 and ranked(all, 1, most, math.min(ARG.window, 2 * total + 16), 0) or {}
  consider(on_open, #on_open)
  if most_kept > most then consider(ranked(all, most + 1, most_kept, MOST_ON_KEPT, 0), MOST_ON_KEPT) end
  if #jobs == 0 then return nil end

  local rows, use, avoided = {}, {}, {}
  for _, job in ipairs(jobs) do
    local held = redis.call('HMGET', k_job(job.id), 'fence', 'kind', 'priority', 'timeout_s', 'avoid', 'kept_host')
    rows[#rows + 1] = {
      job.id, held[1], held[2], job.units, job.project, tonumber(held[3]), NOW - job.score % PRIORITY_SPAN,
      tonumber(held[4]), held[5] or '', held[6] or '',
    }
    if held[5] then avoided[held[5]] = true end
    use[job.project] = all.use[job.project]
  end

  local taken = {}
  for _, row in ipairs(hosts) do taken[row[1]] = true end
  fullest(open, room, on_open, avoided, function(host)
    if taken[host] then return false end
    taken[host] = true
    hosts[#hosts + 1] = vacancy(flavor, host, room(host), nil, false)
    return true
  end)
  for _, row in pairs(kept) do hosts[#hosts + 1] = row end

  return {jobs = rows, hosts = hosts, use = use, keeps = keeps, profiled = profiled}
end

promote_due()
local view = {}
for _, flavor in ipairs(redis.call('SMEMBERS', k_flavors())) do
  if redis.call('EXISTS', k_lines(flavor)) == 1 then view[flavor] = look(flavor) end
end
return reply(view)
