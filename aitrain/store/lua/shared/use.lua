-- Recent use: of each project and flavor, how many units it holds, and their average of late (exponential, so that what was
-- half_life_ms ago counts half). Projects share fairly by it.

-- What stands of one: the average as of now, and what is held.
local function to_use(text)
  if not text then return 0, 0 end
  local average, at_ms, held = text:match('^(%S+) (%S+) (%S+)$')
  held = tonumber(held)
  return held + (average - held) * 2 ^ (-math.max(0, NOW - at_ms) / ARG.half_life_ms), held
end

local AT_ONCE = 500

-- What counts for the fair share of each of these projects: the sum of both.
local function read_use(flavor, projects)
  local use = {}
  for start = 1, #projects, AT_ONCE do
    local texts = redis.call('HMGET', K.use(flavor), unpack(projects, start, math.min(#projects, start + AT_ONCE - 1)))
    for number, text in ipairs(texts) do
      local average, held = to_use(text)
      use[projects[start + number - 1]] = average + held
    end
  end
  return use
end

-- A project holds so many units more from now on.
local function change_use(job, change)
  local average, held = to_use(redis.call('HGET', K.use(job.flavor), job.project))
  redis.call('HSET', K.use(job.flavor), job.project, string.format('%.6f %.0f %.0f', average, NOW, held + change))
end
