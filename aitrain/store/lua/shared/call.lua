-- Of every call: its argument, its time, and how numbers and answers are written.

local ARG = cjson.decode(ARGV[1])
local NOW = ARG.now_ms
if not NOW then
  local time = redis.call('TIME')
  NOW = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Numbers are written without an exponent: Lua prints 1.7e12 otherwise.
local function int(number) return string.format('%.0f', number) end
local function reply(value) return cjson.encode(value) end
