-- The order in which jobs have their turn, as far as it can be told before any is placed: fairshare.py has the last word.

local MOST_AT_ONCE = 16

-- Goes to a line's next job, or to its next one that has waited for patience_ms; without one its id is nil.
local function advance(line, patience_ms)
  repeat
    if line.at > #line.jobs then
      if line.ended then line.id = nil return end
      line.jobs = redis.call('ZRANGEBYSCORE', line.key, line.min, '+inf', 'WITHSCORES', 'LIMIT', line.offset, line.batch)
      line.ended = #line.jobs < 2 * line.batch
      line.offset, line.batch, line.at = line.offset + line.batch, MOST_AT_ONCE, 1
      if #line.jobs == 0 then line.id = nil return end
    end
    line.id, line.score = line.jobs[line.at], tonumber(line.jobs[line.at + 1])
    line.at = line.at + 2
    line.level = math.floor(line.score / PRIORITY_SPAN)
    local early = NOW - line.score % PRIORITY_SPAN < patience_ms
    if early then -- whoever is behind it in its priority has waited less
      line.min, line.offset, line.jobs, line.at, line.ended = int((line.level + 1) * PRIORITY_SPAN), 0, {}, 1, false
    end
  until not early
end

local function is_before(a, b)
  if a.level ~= b.level then return a.level < b.level end
  if a.score ~= b.score then return a.score < b.score end
  return a.id < b.id
end

local function has_turn_before(a, b)
  if a.first.level ~= b.first.level then return a.first.level < b.first.level end
  if a.use ~= b.use then return a.use < b.use end
  return is_before(a.first, b.first)
end

-- A project's first job is the first of its lines'; false when none is left.
local function find_first(project)
  project.first = nil
  for _, line in ipairs(project.lines) do
    if line.id and (not project.first or is_before(line, project.first)) then project.first = line end
  end
  return project.first ~= nil
end

local function sift_down(heap, at)
  while true do
    local least = at
    for child = 2 * at, 2 * at + 1 do
      if heap[child] and has_turn_before(heap[child], heap[least]) then least = child end
    end
    if least == at then return end
    heap[at], heap[least] = heap[least], heap[at]
    at = least
  end
end

-- The projects that have jobs of so many units in line, as a heap by whose turn it is.
local function open_lines(flavor, least, most, patience_ms)
  local heap, known = {}, {}
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', k_lines(flavor), least, most)) do
    local units, project = name:match('^(%d+)/(.+)$')
    local line = {
      key = k_line(flavor, units, project), units = tonumber(units), jobs = {}, at = 1, min = '-inf', offset = 0, batch = 1,
    }
    advance(line, patience_ms)
    if line.id then
      if not known[project] then
        local average, held = read_use(flavor, project)
        known[project] = {name = project, use = average + held, lines = {}}
        heap[#heap + 1] = known[project]
      end
      table.insert(known[project].lines, line)
    end
  end
  for _, project in ipairs(heap) do find_first(project) end
  for at = math.floor(#heap / 2), 1, -1 do sift_down(heap, at) end
  return heap
end

-- The first jobs of least to most units, as if each was given what it asks for: [{id, units, project, score}].
-- patience_ms: only those that have waited for so long.
local function ranked(flavor, least, most, limit, patience_ms)
  local heap, found = open_lines(flavor, least, most, patience_ms), {}
  while #found < limit and heap[1] do
    local project = heap[1]
    local line = project.first
    found[#found + 1] = {id = line.id, units = line.units, project = project.name, score = line.score}
    project.use = project.use + line.units
    advance(line, patience_ms)
    if not find_first(project) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if heap[1] then sift_down(heap, 1) end
  end
  return found
end
