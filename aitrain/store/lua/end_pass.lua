-- Ends a placement pass, unless somebody asked it to look once more.
-- ARG: holder.
-- Returns {over}.
local held = redis.call('HMGET', K.placing(), 'holder', 'asked')
if held[1] ~= ARG.holder then return reply({over = true}) end -- another one took it for dead, and is at work
if held[2] == '1' then return reply({over = false}) end
redis.call('DEL', K.placing())
return reply({over = true})
