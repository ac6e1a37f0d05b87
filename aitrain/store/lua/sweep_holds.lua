-- Lets held jobs in that whatever made room for them left waiting. Costs the projects that have held jobs.
-- ARG: nothing.
-- Returns how many it let in.
local count = 0
for _, field in ipairs(redis.call('SMEMBERS', K.held_kinds())) do
  local project, kind = field:match('^(.*)/([^/]*)$')
  count = count + let_in(project, kind)
end
return reply(count)
