-- Keeps a registry of a project, in the place of one of the same server.
-- ARG: project, server, row (what may be shown, but for added_ms), token (its user and password, sealed).
-- Returns {row} as it stands, as JSON. A repeat of the same revision changes nothing.
local held = redis.call('HGET', K.registries(ARG.project), ARG.server)
if not held or cjson.decode(held).revision ~= ARG.row.revision then
  ARG.row.added_ms = NOW
  held = cjson.encode(ARG.row)
  redis.call('HSET', K.registries(ARG.project), ARG.server, held)
  SEALED.keep(ARG.project, 'registry', ARG.server, ARG.token)
end
return reply({row = held})
