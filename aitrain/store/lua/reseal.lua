-- Keeps tokens that were sealed with another key, each if it still is the one that was read.
-- ARG: member (of sealed_by), project (whose secret it is) or id (whose variables they are), tokens = {field = [old, new]}.
-- Returns {done} (how many). A repeat finds it done.
local key, done = ARG.project and K.sealed(ARG.project) or K.sealed_env(ARG.id), 0
for field, pair in pairs(ARG.tokens) do
  local old, new = unpack(pair)
  local held = redis.call('HGET', key, field)
  if held == old then redis.call('HSET', key, field, new) end
  if held == old or held == new then
    done = done + 1
    SEALED.unnote(ARG.member, old)
    SEALED.note(ARG.member, new)
  end
end
-- Variables of one job may have been sealed by several keys.
for _, token in ipairs(ARG.id and redis.call('HVALS', key) or {}) do SEALED.note(ARG.member, token) end
return reply({done = done})
