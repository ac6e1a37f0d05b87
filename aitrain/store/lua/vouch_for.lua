-- Writes where jobs came from and where they were sent, as their records say: once, of those that have no such note.
-- ARG: jobs (ids).
-- Returns true.
for _, id in ipairs(ARG.jobs) do
  local held = redis.call('HMGET', K.job(id), 'project', 'spec', 'fence', 'host')
  local project, spec = held[1], held[2] or settled(id).spec
  if project and spec and redis.call('EXISTS', K.origin(id)) == 0 then
    ORIGIN.begin(id, {project = project, spec = spec})
    if held[3] and held[4] then ORIGIN.sent(id, held[3], held[4]) end
  end
end
return reply(true)
