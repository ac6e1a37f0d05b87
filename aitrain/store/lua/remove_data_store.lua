-- Removes a data store of a project, unless jobs name it that have not ended.
-- ARG: project, alias, force, most (jobs to name).
-- Returns {jobs}: some that name it, none if it is removed. One that is gone already is as good as removed.
local function names_it(spec)
  -- Most specs do not have the word in them at all.
  if not string.find(spec, ARG.alias, 1, true) then return false end
  for _, volume in ipairs(cjson.decode(spec).volumes or {}) do
    if volume.alias == ARG.alias then return true end
  end
  return false
end

local jobs = ARG.force and {} or jobs_in_need(ARG.project, names_it, ARG.most)
if #jobs == 0 then
  redis.call('HDEL', K.data_stores(ARG.project), ARG.alias)
  SEALED.drop(ARG.project, 'data_store', ARG.alias)
  if redis.call('EXISTS', K.data_stores(ARG.project)) == 0 then
    redis.call('SREM', K.data_store_projects(), ARG.project)
  end
end
return reply({jobs = jobs})
