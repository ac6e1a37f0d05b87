-- Removes a registry of a project, unless jobs that have not ended have images of it. Costs what is alive, not what
-- exists.
-- ARG: project, server, force, most (jobs to name).
-- Returns {jobs}: some that need it, none if it is removed. One that is gone already is as good as removed.
local HUB = {['docker.io'] = true, ['index.docker.io'] = true, ['registry-1.docker.io'] = true}

-- As domain/imagename.py has it.
local function server_of(image)
  local first = string.match(image, '^([^/]+)/')
  if not first or not (string.find(first, '[.:]') or first == 'localhost' or first ~= string.lower(first)) then
    return 'docker.io'
  end
  return HUB[first] and 'docker.io' or first
end

local jobs = {}
if not ARG.force then
  for state, row in pairs(STATES) do
    for _, id in ipairs(row.ended and {} or redis.call('ZRANGE', K.state(state), 0, -1)) do
      if #jobs < ARG.most and redis.call('HGET', K.job(id), 'project') == ARG.project
        and server_of(cjson.decode(redis.call('HGET', K.job(id), 'spec')).image) == ARG.server then
        jobs[#jobs + 1] = id
      end
    end
  end
end
if #jobs == 0 then
  redis.call('HDEL', K.registries(ARG.project), ARG.server)
  SEALED.drop(ARG.project, 'registry', ARG.server)
end
return reply({jobs = jobs})
