-- Recent use: of each project and flavor, how many units it holds, and their average of late (exponential, so that what was
-- half_life_ms ago counts half). Projects share fairly by it.

-- Returns the average as of now, and what is held.
local function read_use(flavor, project)
  local text = redis.call('HGET', k_use(flavor), project)
  if not text then return 0, 0 end
  local average, at_ms, held = text:match('^(%S+) (%S+) (%S+)$')
  held = tonumber(held)
  return held + (average - held) * 2 ^ (-math.max(0, NOW - at_ms) / ARG.half_life_ms), held
end

-- A project holds so many units more from now on.
local function change_use(job, change)
  local average, held = read_use(job.flavor, job.project)
  redis.call('HSET', k_use(job.flavor), job.project, string.format('%.6f %.0f %.0f', average, NOW, held + change))
end
