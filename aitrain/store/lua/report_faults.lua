-- Sets which units a host's agent finds unfit: the whole of it, in place of what it said before. A job that holds one of
-- them keeps it.
-- ARG: host, instance (which machine it is), faults ({flavor = {unit = reason}}), beside (keep what it said before, too).
-- Returns {known, waiting}. known = false: the store does not know the host, or another machine has its name. waiting: jobs
-- that wait for a flavor of which a unit may have come free.
if redis.call('HGET', K.host(ARG.host), 'instance') ~= ARG.instance then return reply({known = false, waiting = 0}) end
local waiting = set_faults(ARG.host, ARG.faults, ARG.beside) and waiting_for(recount(ARG.host)) or 0
return reply({known = true, waiting = waiting})
