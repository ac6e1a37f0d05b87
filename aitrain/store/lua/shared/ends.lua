-- What a receipt is made of, noted when an attempt ends: soon after, the next one begins, or the job is deleted.

-- So long the facts of an end wait for a control worker that signs; nobody has a key any more by then.
local UNSIGNED_SECONDS = 30 * 86400

-- Whether the site makes receipts: its control workers say so as long as they have a key.
local function makes_receipts() return redis.call('EXISTS', K.signing()) == 1 end

-- listing: {part = 'inputs' or 'outputs', text}: what a copy of the attempt's volumes found.
local function keep_listing(id, job, listing)
  if makes_receipts() then redis.call('HSET', K.manifest(id, job.attempt), listing.part, listing.text) end
end

-- When the attempt entered the states from which it may be billed. What has ended once keeps that in its history only.
local function recall_clock(id, job)
  local names = {INITIALIZING = 'placed_ms', PENDING = 'pending_ms'}
  for _, text in ipairs(redis.call('LRANGE', K.history(id), 0, -1)) do
    local at_ms, state, attempt = unpack(cjson.decode(text))
    local name = names[state]
    if name and attempt == tonumber(job.attempt) then job[name] = job[name] or at_ms end
  end
end

-- The lines of the ledger for the attempt, as JSON [[field, line], ...]: the first begins with its clock, and each other
-- where the one before it ends. What has left the store with its month is made anew: it follows from the same times.
local function attempt_lines(id, job)
  local lines, first, billed = {}, 0, tonumber(job.billed_minutes or '0')
  if billed > 0 then recall_clock(id, job) end
  while first < billed do
    local stretch = stretch_at(job, first, billed - first)
    local field = id .. '/' .. job.attempt .. '/' .. int(first)
    local line = redis.call('HGET', K.ledger(job.project, stretch.month), field)
    if not line then
      if redis.call('HEXISTS', K.pruned(job.project), stretch.month) == 0 then break end
      line = line_text(job, stretch)
    end
    lines[#lines + 1] = cjson.encode({field, line})
    first = first + cjson.decode(line)[1]
  end
  return '[' .. table.concat(lines, ',') .. ']'
end

-- The moves of the attempt that ends with this one, as JSON [move, ...].
local function attempt_moves(id, job, to, o)
  local moves = {}
  for _, text in ipairs(redis.call('LRANGE', K.history(id), 0, -1)) do
    if cjson.decode(text)[3] == tonumber(job.attempt) then moves[#moves + 1] = text end
  end
  -- The history counts this one to the next attempt.
  if to == 'QUEUED' then
    moves[#moves + 1] = told_move(to, tonumber(job.attempt), o.code or STATES[to].code, o.message or '')
  end
  return '[' .. table.concat(moves, ',') .. ']'
end

-- Called while the job's fields are still those of the attempt that ends. to, o: as in move.
local function note_end(id, job, to, o)
  local attempt = job.attempt
  if not makes_receipts() then
    redis.call('DEL', K.manifest(id, attempt))
    return
  end
  local member = id .. '/' .. attempt
  -- Of an attempt whose results are pushed again nothing more is billed.
  local lines = redis.call('HGET', K.ended(id, attempt), 'lines') or attempt_lines(id, job)
  redis.call('HSET', K.ended(id, attempt), 'version', int(NOW) .. '/' .. to, 'state', to,
    'code', o.code or STATES[to].code, 'job', cjson.encode(redis.call('HGETALL', K.job(id))),
    'moves', attempt_moves(id, job, to, o), 'lines', lines)
  redis.call('EXPIRE', K.ended(id, attempt), UNSIGNED_SECONDS)
  redis.call('EXPIRE', K.manifest(id, attempt), UNSIGNED_SECONDS)
  redis.call('ZADD', K.unsigned(), int(NOW), member)
  redis.call('EXPIRE', K.unsigned(), UNSIGNED_SECONDS)
end
