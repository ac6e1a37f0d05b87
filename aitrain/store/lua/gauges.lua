-- How a site stands, for whoever watches it. Changes nothing. Costs the lines in which jobs wait, times the priorities in
-- them, but not the jobs.
-- ARG: flavors (names).
-- Returns {waiting = {flavor = [jobs, oldest_ms]}, held, retries (numbers of jobs), oldest = {state = ms}, due = {duty =
-- [number, behind_ms]}}. oldest_ms: for how long the one waits that has waited longest; ms: for how long the one has been
-- in a state that came first of those that are; behind_ms: how long ago the first was due.
local function oldest_in(line)
  local oldest, from = NOW, '-inf'
  while true do
    local first = redis.call('ZRANGEBYSCORE', line, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not first[1] then return oldest end
    local band = math.floor(first[2] / PRIORITY_SPAN)
    oldest = math.min(oldest, first[2] - band * PRIORITY_SPAN)
    from = int((band + 1) * PRIORITY_SPAN)
  end
end

local view = {waiting = {}, held = 0, oldest = {}, due = {}}
for _, flavor in ipairs(ARG.flavors) do
  local jobs, oldest = 0, NOW
  for _, name in ipairs(redis.call('HKEYS', K.lines(flavor))) do
    local units, project = string.match(name, '^(%d+)/(.*)$')
    local line = K.line(flavor, units, project)
    jobs = jobs + redis.call('ZCARD', line)
    oldest = math.min(oldest, oldest_in(line))
  end
  view.waiting[flavor] = {jobs, NOW - oldest}
end
for _, name in ipairs(redis.call('SMEMBERS', K.held_kinds())) do
  local project, kind = string.match(name, '^(.*)/(.-)$')
  view.held = view.held + redis.call('ZCARD', K.held(project, kind))
end
view.retries = redis.call('ZCARD', K.retries())
for state, row in pairs(STATES) do
  if not row.ended then
    local first = redis.call('ZRANGE', K.state(state), 0, 0, 'WITHSCORES')
    view.oldest[state] = first[2] and math.max(0, NOW - first[2]) or 0
  end
end
local duties = {
  billing = K.billing(), deadline = K.deadlines(), drain = K.drains(), retry = K.retries(), receipt = K.unsigned(),
}
for duty, key in pairs(duties) do
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  view.due[duty] = {redis.call('ZCOUNT', key, '-inf', int(NOW)), first[2] and math.max(0, NOW - first[2]) or 0}
end
return reply(view)
