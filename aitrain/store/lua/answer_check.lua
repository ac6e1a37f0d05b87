-- Answers a check, if somebody still waits for it: an answer that nobody reads must not stay.
-- ARG: token, answer (JSON).
-- Returns {taken}.
local waits = redis.call('EXISTS', K.check(ARG.token)) == 1
if waits then redis.call('HSET', K.check(ARG.token), 'answer', ARG.answer) end
return reply({taken = waits})
