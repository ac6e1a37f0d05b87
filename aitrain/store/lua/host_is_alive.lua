-- Whether a machine's agent renewed its host's lease lately. Changes nothing.
-- ARG: host, instance.
-- Returns {alive}.
local lease = tonumber(redis.call('ZSCORE', K.hosts(), ARG.host) or '0')
return reply({alive = lease > NOW and redis.call('HGET', K.host(ARG.host), 'instance') == ARG.instance})
