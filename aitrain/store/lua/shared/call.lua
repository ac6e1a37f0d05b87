-- Of every call: its argument, its time, and how numbers and answers are written.

local ARG = cjson.decode(ARGV[1])
-- A process of another version than the store's writes nothing (domain/schema.py). ARG.schema: the stamp that a call
-- expects which changes it.
local stamp = redis.call('GET', K.schema()) or ''
if stamp ~= (ARG.schema or SCHEMA) then
  return redis.error_reply('SCHEMA ' .. (stamp == '' and 'none' or stamp))
end

local NOW = ARG.now_ms
if not NOW then
  local time = redis.call('TIME')
  NOW = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Numbers are written without an exponent: Lua prints 1.7e12 otherwise.
local function int(number) return string.format('%.0f', number) end
local function reply(value) return cjson.encode(value) end
