-- What a receipt is made of, noted when an attempt ends: soon after, the next one begins, or the job is deleted.

-- So long the facts of an end wait for a control worker that signs; nobody has a key any more by then.
local UNSIGNED_SECONDS = 30 * 86400

-- Whether the site makes receipts: its control workers say so as long as they have a key.
local function makes_receipts() return redis.call('EXISTS', k_signing()) == 1 end

-- listing: {part = 'inputs' or 'outputs', text}: what a copy of the attempt's volumes found.
local function keep_listing(id, job, listing)
  if makes_receipts() then redis.call('HSET', k_manifest(id, job.attempt), listing.part, listing.text) end
end

-- Called while the job's fields are still those of the attempt that ends. to, code: where it goes from there; moves: those
-- of the attempt, as JSON texts.
local function note_end(id, job, to, code, moves)
  local attempt = job.attempt
  if not makes_receipts() then
    redis.call('DEL', k_manifest(id, attempt))
    return
  end
  local member = id .. '/' .. attempt
  redis.call('DEL', k_ended(id, attempt))
  redis.call('HSET', k_ended(id, attempt), 'version', int(NOW) .. '/' .. to, 'state', to, 'code', code,
    'job', cjson.encode(redis.call('HGETALL', k_job(id))), 'moves', '[' .. table.concat(moves, ',') .. ']')
  redis.call('EXPIRE', k_ended(id, attempt), UNSIGNED_SECONDS)
  redis.call('EXPIRE', k_manifest(id, attempt), UNSIGNED_SECONDS)
  redis.call('ZADD', k_unsigned(), int(NOW), member)
  redis.call('EXPIRE', k_unsigned(), UNSIGNED_SECONDS)
end

-- The moves of a job's current attempt so far.
local function moves_of_attempt(id, job)
  local moves = {}
  for _, text in ipairs(redis.call('LRANGE', k_history(id), 0, -1)) do
    if cjson.decode(text)[3] == tonumber(job.attempt) then moves[#moves + 1] = text end
  end
  return moves
end
