-- The order in which jobs have their turn, as far as it can be told before any is placed: fairshare.py has the last word.

-- The lines of a flavor, each with its first job, and what their projects use.
local function lines_of(flavor)
  local lines, projects, known = {}, {}, {}
  local flat = redis.call('HGETALL', k_lines(flavor))
  for i = 1, #flat, 2 do
    local units, project = flat[i]:match('^(%d+)/(.+)$')
    local first, last, id = flat[i + 1]:match('^(%d+) (%d+) (.+)$')
    local score = tonumber(first)
    local level = math.floor(score / PRIORITY_SPAN)
    lines[i / 2 + 0.5] = {
      units = tonumber(units), project = project, id = id, score = score, level = level,
      one_level = last - level * PRIORITY_SPAN < PRIORITY_SPAN,
    }
    if not known[project] then projects[#projects + 1], known[project] = project, true end
  end
  return {flavor = flavor, lines = lines, use = read_use(flavor, projects)}
end

-- Goes to a line's next job; without one its id is nil.
local function advance(line)
  local jobs = line.jobs
  if not jobs or line.at > #jobs then
    if line.ended then line.id = nil return end
    jobs = redis.call('ZRANGEBYSCORE', line.key, line.min, '+inf', 'WITHSCORES', 'LIMIT', line.offset, line.batch)
    line.ended = #jobs < 2 * line.batch
    line.offset, line.batch, line.at, line.jobs = line.offset + line.batch, 4 * line.batch, 1, jobs
    if #jobs == 0 then line.id = nil return end
  end
  line.id, line.score = jobs[line.at], tonumber(jobs[line.at + 1])
  line.level, line.at = math.floor(line.score / PRIORITY_SPAN), line.at + 2
end

-- Without patience nobody is, not even who began to wait before the clock was set back.
local function is_early(job, patience_ms)
  return patience_ms > 0 and NOW - job.score % PRIORITY_SPAN < patience_ms
end

-- Goes on to a job that has waited for patience_ms, if the line does not stand at one.
local function skip_early(line, patience_ms)
  while line.id and is_early(line, patience_ms) do -- who is behind it in its priority waited less
    line.min, line.offset, line.batch, line.jobs = int((line.level + 1) * PRIORITY_SPAN), 0, 1, nil
    line.ended = false
    advance(line)
  end
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
local function to_heap(all, least, most, patience_ms)
  local heap, known = {}, {}
  for _, found in ipairs(all.lines) do
    local fits = found.units >= least and found.units <= most
    if fits and not (found.one_level and is_early(found, patience_ms)) then
      local line = {
        units = found.units, id = found.id, score = found.score, level = found.level,
        key = k_line(all.flavor, int(found.units), found.project), min = '-inf', offset = 1, batch = 1,
      }
      skip_early(line, patience_ms)
      local project = known[found.project]
      if line.id and project then
        project.lines[#project.lines + 1] = line
        if is_before(line, project.first) then project.first = line end
      elseif line.id then
        project = {name = found.project, use = all.use[found.project], lines = {line}, first = line}
        heap[#heap + 1], known[found.project] = project, project
      end
    end
  end
  for at = math.floor(#heap / 2), 1, -1 do sift_down(heap, at) end
  return heap
end

-- The first jobs of least to most units, as if each was given what it asks for: [{id, units, project, score}].
-- all: as of lines_of; patience_ms: only those that have waited for so long.
local function ranked(all, least, most, limit, patience_ms)
  local heap, found = to_heap(all, least, most, patience_ms), {}
  while #found < limit and heap[1] do
    local project = heap[1]
    local line = project.first
    found[#found + 1] = {id = line.id, units = line.units, project = project.name, score = line.score}
    project.use = project.use + line.units
    advance(line)
    skip_early(line, patience_ms)
    if not find_first(project) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if heap[1] then sift_down(heap, 1) end
  end
  return found
end
