-- Plain commands that write: behind the same comparison of the schema as all other writes, and in one act.
-- ARG: commands ([[name, argument, ...], ...]; all texts).
-- Returns true.
for _, command in ipairs(ARG.commands) do redis.call(unpack(command)) end
return reply(true)
