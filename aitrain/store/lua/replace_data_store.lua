-- Puts something else in the place of a data store's row, if it is still this one. For migrations.
-- ARG: schema, project, alias, old, new (texts).
-- Returns {done}.
local done = redis.call('HGET', K.data_stores(ARG.project), ARG.alias) == ARG.old
if done then redis.call('HSET', K.data_stores(ARG.project), ARG.alias, ARG.new) end
return reply({done = done})
