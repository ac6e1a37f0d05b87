-- Jobs that have ended are most of what there is, and only read. Redis keeps a hash whose values are all short in a third
-- of the memory, and each key costs a hundred bytes: when a job ends, its long values and its history go to one key, and
-- what meant something only while it ran goes; when it is queued again, they come back.

-- Redis' own limit (hash-max-listpack-value) unless configured otherwise.
local LONGEST = 64
local WHILE_RUNNING = {running_ms = true, deadline_ms = true, placed_ms = true, pending_ms = true, line = true}
-- Their absence says the same.
local EMPTY = {message = '', labels = '{}', warning_signal = '', out_of_memory = '0'}

-- What stands in the key `settled`: "name bytes\nvalue" one after the other, since JSON in JSON is a quarter longer.
local function settled(id)
  local text, values, at = redis.call('GET', k_settled(id)) or '', {}, 1
  while at <= #text do
    local _, ends, name, bytes = string.find(text, '^([%w_]+) (%d+)\n', at)
    values[name] = string.sub(text, ends + 1, ends + bytes)
    at = ends + bytes + 1
  end
  return values
end

local function settle(id, state)
  local flat, short, long = redis.call('HGETALL', k_job(id)), {}, {}
  local function keep(name, value) long[#long + 1] = name .. ' ' .. #value .. '\n' .. value end
  keep('history', '[' .. table.concat(redis.call('LRANGE', k_history(id), 0, -1), ',') .. ']')
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    if #value > LONGEST then
      keep(name, value)
    elseif name == 'instance' and state ~= 'ERROR' then -- its results are not on that machine any more
    elseif not WHILE_RUNNING[name] and EMPTY[name] ~= value then
      short[#short + 1] = name
      short[#short + 1] = value
    end
  end
  -- A hash that was once large stays so: it is made anew.
  redis.call('DEL', k_job(id), k_history(id))
  redis.call('HSET', k_job(id), unpack(short))
  redis.call('SET', k_settled(id), table.concat(long))
end

-- The moves of a job, as JSON texts.
local function history(id)
  local held = settled(id).history
  if not held then return redis.call('LRANGE', k_history(id), 0, -1) end
  local moves = cjson.decode(held)
  for i, entry in ipairs(moves) do moves[i] = cjson.encode(entry) end
  return moves
end

local function unsettle(id)
  -- One by one: a job that was started again for months has more of them than one call takes.
  for _, move in ipairs(history(id)) do redis.call('RPUSH', k_history(id), move) end
  local long = settled(id)
  long.history = nil
  -- What was written since stands.
  for name, value in pairs(long) do redis.call('HSETNX', k_job(id), name, value) end
  redis.call('DEL', k_settled(id))
end
