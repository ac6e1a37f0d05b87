-- Keeps what was sealed with another key, if the data store still is the one that was read.
-- ARG: project, alias, old, new (as it was, and is to be, sealed).
-- Returns {done}. A repeat finds it done.
local held = redis.call('HGET', K.data_stores(ARG.project), ARG.alias)
local row = held and cjson.decode(held) or {}
if row.sealed == ARG.old and row.sealed ~= ARG.new then
  row.sealed = ARG.new
  redis.call('HSET', K.data_stores(ARG.project), ARG.alias, cjson.encode(row))
end
return reply({done = row.sealed == ARG.new})
