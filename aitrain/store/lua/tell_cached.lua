-- Tells what a host's cache holds.
-- ARG: host, held ({project = bytes}).
-- Returns {}.
for project, bytes in pairs(ARG.held) do redis.call('HSET', K.cached(project), ARG.host, int(bytes)) end
return reply({})
