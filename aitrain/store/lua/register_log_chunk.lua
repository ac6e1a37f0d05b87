-- Registers a part of a log that lies in the object store, and takes parts from the middle where the log is too long.
-- ARG: id, fence (of any attempt), first, count, size, max_bytes.
-- Returns {cut}: first lines of the parts that are to be deleted in the object store.
local job, attempt = read_job(ARG.id), string.match(ARG.fence, '^%d+')
if not job then return reply({cut = {int(ARG.first)}}) end
local key, field = K.log(ARG.id, attempt), int(ARG.first)
if tonumber(attempt) > tonumber(job.attempt) or not LOG.open(ARG.id, job, attempt, ARG.fence) then
  return reply({cut = cjson.decode('[]')})
end
local cut_for, told = unpack(redis.call('HMGET', key, 'cut_for', 'cut'))
if cut_for == field then return reply({cut = cjson.decode(told)}) end
if redis.call('HEXISTS', key, field) == 1 then return reply({cut = cjson.decode('[]')}) end
local from, to = unpack(redis.call('HMGET', key, 'cut_from', 'cut_to'))
-- It was cut before: whoever uploaded it did not know.
if from and ARG.first >= tonumber(from) and ARG.first < tonumber(to) then return reply({cut = {field}}) end

redis.call('HSET', key, field, int(ARG.count) .. ' ' .. int(ARG.size), 'kept', '1')
local uploaded, chunks, cut = 0, LOG.chunks(key), {}
for _, chunk in ipairs(chunks) do uploaded = uploaded + chunk.size end
if uploaded > ARG.max_bytes then
  local head = 0
  for index, chunk in ipairs(chunks) do
    head = head + chunk.size
    -- The first half stays as it was when the log was cut first, and so does the newest part.
    local stays = (from and chunk.first < tonumber(from)) or (not from and head <= ARG.max_bytes / 2)
    if not stays and uploaded > ARG.max_bytes and index < #chunks then
      from, to = from or chunk.first, chunk.first + chunk.count
      uploaded = uploaded - chunk.size
      cut[#cut + 1] = int(chunk.first)
      redis.call('HDEL', key, int(chunk.first))
      redis.call('HINCRBY', key, 'cut_lines', int(chunk.count))
      redis.call('HINCRBY', key, 'cut_bytes', int(chunk.size))
      redis.call('HSET', key, 'cut_from', int(tonumber(from)), 'cut_to', int(to))
    end
  end
  if #cut > 0 then redis.call('HSET', key, 'cut_for', field, 'cut', '[' .. table.concat(cut, ',') .. ']') end
end
redis.call('HSET', key, 'uploaded', int(uploaded))
redis.call('ZADD', K.log_ends(), int(NOW), ARG.id .. '/' .. attempt)
LOG.settle(ARG.id, attempt)
return reply({cut = cut})
