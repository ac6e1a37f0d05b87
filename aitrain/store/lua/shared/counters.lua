-- What a site counts, for whoever watches it: see aitrain/domain/counting.py. Added to by the script that makes the change,
-- once it is certain that it happens, so a call that is sent again counts nothing.

local function count(name, by) redis.call('HINCRBY', K.counters(), name, int(by or 1)) end

-- A duration of a kind ('wait/FLAVOR', 'step/STEP'): into its class, and to the sum.
local function count_duration(kind, ms)
  ms = math.max(0, ms)
  local class = 'inf'
  for _, bound in ipairs(BOUNDS) do
    if ms <= bound * 1000 then
      class = int(bound)
      break
    end
  end
  count(kind .. '/' .. class)
  count(kind .. '/ms', ms)
end

-- How many jobs of a project are in a state.
local function count_standing(project, state, by)
  redis.call('HINCRBY', K.standing(), project .. '/' .. state, by)
end

-- How long a job was in what it leaves: waiting, or a step that has done its work. What failed, or was stopped, has no
-- duration that says anything of the others.
local function count_stay(job, from, to)
  local since_ms = NOW - tonumber(job.state_ms)
  if from == 'QUEUED' and to == 'INITIALIZING' then
    -- A retry's pause is no waiting for a host.
    count_duration('wait/' .. job.flavor, NOW - math.max(tonumber(job.state_ms), tonumber(job.not_before_ms or '0')))
  elseif from == 'INITIALIZING' and to == 'PENDING' then
    count_duration('step/sync_in', since_ms)
  elseif from == 'PENDING' and to == 'RUNNING' then
    count_duration('step/start_container', since_ms)
  elseif STATES[from].runs and to == 'FINALIZING' and job.begun_ms then
    count_duration('step/run', tonumber(job.ran_ms or '0'))
  elseif from == 'FINALIZING' and to ~= 'ERROR' then
    count_duration('step/sync_out', since_ms)
  end
end

-- What the copy of a volume tells of itself only grows, until it is begun anew.
local COPIED = {'bytes', 'completed', 'failed', 'deleted', 'cached', 'cached_bytes'}

-- Progress of copies by mount path, as JSON: what stood there before, and what is told now. Told twice it counts once.
local function count_copied(before, now)
  before, now = cjson.decode(before or '{}'), cjson.decode(now)
  for path, copy in pairs(now) do
    local old, direction = before[path] or {}, copy.direction or 'pull'
    local goes_on = (old.direction or 'pull') == direction
    for _, what in ipairs(COPIED) do
      if (copy[what] or 0) < (old[what] or 0) then goes_on = false end
    end
    for _, what in ipairs(COPIED) do
      local more = (copy[what] or 0) - (goes_on and old[what] or 0)
      if more > 0 then count('copy/' .. direction .. '/' .. what, more) end
    end
  end
end
