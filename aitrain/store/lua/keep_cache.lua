-- Keeps room in a project's quota of cached bytes for what a host is about to add, if there is any.
-- ARG: project, host, held (bytes of the project in the host's cache), more (bytes that are about to be added, in all).
-- Returns by how many bytes that is too much, 0 if it is kept. More that is 0 gives back what was kept.
redis.call('HSET', K.cached(ARG.project), ARG.host, int(ARG.held))
redis.call('HDEL', K.caching(ARG.project), ARG.host)
local limit = tonumber(redis.call('HGET', K.quota_limit(), quota_field(ARG.project, 'cache')) or '-1')
local over = cached_bytes(ARG.project) + ARG.more - limit
if limit >= 0 and over > 0 and ARG.more > 0 then return reply(over) end
if ARG.more > 0 then redis.call('HSET', K.caching(ARG.project), ARG.host, int(ARG.more)) end
return reply(0)
