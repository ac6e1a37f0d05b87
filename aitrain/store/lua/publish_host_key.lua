-- Keeps a host's public key, if this machine has the host's name.
-- ARG: host, instance (which machine it is), key.
-- Returns {ours}.
local ours = redis.call('HGET', K.host(ARG.host), 'instance') == ARG.instance
if ours then redis.call('SET', K.host_key(ARG.host), ARG.key) end
return reply({ours = ours})
