-- Notes that a process of the fleet got work done just now, and forgets control workers and beats of which nothing was
-- heard for a day: their names may be those of containers, which never come back.
-- ARG: role, name.
-- Returns {noted}.
local DAY_MS = 86400000
local field = ARG.role .. '/' .. ARG.name
redis.call('HSET', K.canary(), field, int(NOW))
redis.call('HDEL', K.canary_trouble(), field)
if ARG.role == 'control' or ARG.role == 'beat' then
  local all = redis.call('HGETALL', K.canary())
  for i = 1, #all, 2 do
    local role = string.match(all[i], '^(%a+)/')
    if (role == 'control' or role == 'beat') and tonumber(all[i + 1]) < NOW - DAY_MS then
      redis.call('HDEL', K.canary(), all[i])
      redis.call('HDEL', K.canary_trouble(), all[i])
    end
  end
end
return reply({noted = true})
