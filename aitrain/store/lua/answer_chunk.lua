-- Answers who wants to read a part of a log, if anybody still waits. ARG: token, text, unable, gone. Returns {taken}.
local waits = redis.call('EXISTS', K.chunk(ARG.token)) == 1
if waits then
  redis.call('HSET', K.chunk(ARG.token), 'text', ARG.text, 'unable', ARG.unable, 'gone', ARG.gone and '1' or '0')
end
return reply({taken = waits})
