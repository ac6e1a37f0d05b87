-- Removes a registry of a project, unless jobs that have not ended have images of it.
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

local function needs_it(spec) return server_of(cjson.decode(spec).image) == ARG.server end

local jobs = ARG.force and {} or jobs_in_need(ARG.project, needs_it, ARG.most)
if #jobs == 0 then
  redis.call('HDEL', K.registries(ARG.project), ARG.server)
  SEALED.drop(ARG.project, 'registry', ARG.server)
end
return reply({jobs = jobs})
