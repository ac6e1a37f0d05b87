-- Keeps a data store of a project, in the place of one of the same alias.
-- ARG: project, alias, row (what may be shown, but for added_ms), token (its keys, sealed).
-- Returns {row} as it stands, as JSON. A repeat of the same revision changes nothing.
local held = redis.call('HGET', K.data_stores(ARG.project), ARG.alias)
if not held or cjson.decode(held).revision ~= ARG.row.revision then
  ARG.row.added_ms = NOW
  held = cjson.encode(ARG.row)
  redis.call('HSET', K.data_stores(ARG.project), ARG.alias, held)
  redis.call('SADD', K.data_store_projects(), ARG.project)
  SEALED.keep(ARG.project, 'data_store', ARG.alias, ARG.token)
end
return reply({row = held})
