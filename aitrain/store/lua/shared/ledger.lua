-- The ledger: what a run owes follows from times alone, and is written by whatever looks at it, as often as it looks.
-- Minute k of an attempt begins k minutes after its clock started, by the store's clock, and belongs to the month in which
-- it begins. A line is a stretch of minutes of one month and one price; only the last line of an attempt grows.

-- What `bill` needs to know of a job.
local BILLED_FIELDS = {
  'project', 'flavor', 'units', 'hourly_price', 'host', 'policy', 'attempt', 'state', 'placed_ms', 'pending_ms', 'begun_ms', 'ran_ms',
  'billed_minutes', 'line', 'timeout_s', 'set_aside',
}

-- So long may a host's word be under way: a call is tried for less (connection.py). No minute is in the ledger that begins
-- later than this from now, so a new price counts from then on.
local UNDER_WAY_MS = 30000

-- When the clock of a run started. A store that lost its last second may be told of PENDING after the container's start.
local function clock_started_ms(job)
  local begun_ms = tonumber(job.begun_ms)
  local from = {initializing = job.placed_ms, pending = job.pending_ms}
  return math.min(begun_ms, tonumber(from[job.policy] or begun_ms))
end

-- A container that has run for longer than since begun_ms began before: the word that it runs was under way for so long.
-- Where the clock started earlier, that time is in its lead, and must not be in what it ran as well. What is owed never
-- shrinks by that, whatever the store's clock does.
local function begin_earlier(id, job, more_ms)
  local begun_ms, started_ms = tonumber(job.begun_ms), clock_started_ms(job)
  local late_ms = math.min(begun_ms + tonumber(job.ran_ms) - NOW, more_ms, begun_ms - started_ms)
  if late_ms <= 0 then return end
  job.begun_ms = int(begun_ms - late_ms)
  redis.call('HSET', K.job(id), 'begun_ms', job.begun_ms)
end

-- What note_ran needs to know of a job.
local RAN_FIELDS = {'ran_ms', 'placed_ms', 'pending_ms', 'begun_ms', 'policy'}

-- A host tells for how long a container has run, by its own clock. It is believed as far as the store's clock allows: the
-- container cannot be older than the attempt's place on the host, nor than its start but for what may be under way. The
-- most that was told stands. job: its fields, at least RAN_FIELDS.
local function note_ran(id, job, ran_ms)
  local since_ms, before_ms = tonumber(job.placed_ms or NOW), tonumber(job.ran_ms or '0')
  if job.begun_ms then since_ms = math.max(since_ms, job.begun_ms - UNDER_WAY_MS) end
  ran_ms = math.min(ran_ms, NOW - since_ms)
  if ran_ms <= before_ms then return end
  job.ran_ms = int(ran_ms)
  redis.call('HSET', K.job(id), 'ran_ms', job.ran_ms)
  if job.begun_ms then begin_earlier(id, job, ran_ms - before_ms) end
end

-- What of a job must outlive it: its lines are grouped by that.
local function describe(id, job, month)
  local held = redis.call('HMGET', K.job(id), 'spec', 'labels')
  local spec = cjson.decode(held[1])
  redis.call('HSET', K.ledger_jobs(job.project, month), id, cjson.encode({
    name = spec.name, user = spec.user, labels = cjson.decode(held[2] or '{}'),
  }))
end

-- Its labels have changed. What counts is what they were when it was billed last; a month that is over may be exported,
-- or pruned.
local function describe_again(id, job)
  if not job.line or not STATES[job.state].runs then return end
  local month, month_ends_ms = month_of(clock_started_ms(job) + (job.billed_minutes - 1) * MINUTE_MS)
  if NOW < month_ends_ms then describe(id, job, month) end
end

local function line_text(job, stretch)
  return cjson.encode({
    stretch.count, stretch.begins_ms, stretch.price, job.flavor, tonumber(job.units), job.policy, job.host,
  })
end

-- The minutes from `first` on, `most` at most, that are of one month and one price.
local function stretch_at(job, first, most)
  local begins_ms = clock_started_ms(job) + first * MINUTE_MS
  local month, month_ends_ms = month_of(begins_ms)
  local price, next_price_ms = price_at(job, begins_ms)
  local count = math.min(most, math.ceil((math.min(month_ends_ms, next_price_ms) - begins_ms) / MINUTE_MS))
  return {first = first, count = count, begins_ms = begins_ms, month = month, price = price}
end

-- Writes minutes first to first + count - 1: as part of the attempt's last line, or as a new one.
local function write_line(id, job, stretch)
  local key, held = K.ledger(job.project, stretch.month), nil
  local function field(first) return id .. '/' .. job.attempt .. '/' .. first end
  if job.line then held = redis.call('HGET', key, field(job.line)) end
  if held then
    local line = cjson.decode(held)
    if line[3] == stretch.price then
      line[1] = line[1] + stretch.count
      redis.call('HSET', key, field(job.line), cjson.encode(line))
      return
    end
  end
  job.line = int(stretch.first)
  redis.call('HSET', key, field(job.line), line_text(job, stretch))
  redis.call('SADD', K.ledger_months(job.project), stretch.month)
  redis.call('SADD', K.ledger_projects(), job.project)
  describe(id, job, stretch.month)
end

-- What stands in K.spent: minutes x units x price, in millionths. Prices have six places at most. Lua's numbers are exact to
-- 2^53 only, so wholes and millionths are added one after the other.
local function spend(job, stretch)
  local millionths = math.floor(tonumber(stretch.price) * 1e6 + 0.5)
  local unit_minutes, wholes = stretch.count * tonumber(job.units), math.floor(millionths / 1e6)
  local key = K.spent(stretch.month)
  if wholes > 0 then redis.call('HINCRBY', key, job.project, int(unit_minutes * wholes) .. '000000') end
  redis.call('HINCRBY', key, job.project, int(unit_minutes * (millionths - wholes * 1e6)))
end

-- Bills what a run owes by now and is not in the ledger: nothing, if it never reached RUNNING. Returns when its next minute
-- may begin. job: its fields, at least BILLED_FIELDS.
local function bill(id, job)
  if not job.begun_ms then return NOW end
  local started_ms = clock_started_ms(job)
  local elapsed_ms = tonumber(job.begun_ms) - started_ms + tonumber(job.ran_ms or '0')
  local owed, written = math.max(1, math.ceil(elapsed_ms / MINUTE_MS)), tonumber(job.billed_minutes or '0')
  while written < owed do
    local stretch = stretch_at(job, written, owed - written)
    write_line(id, job, stretch)
    spend(job, stretch)
    count('minutes/' .. job.project .. '/' .. job.flavor, stretch.count * tonumber(job.units))
    written = written + stretch.count
  end
  if written > tonumber(job.billed_minutes or '0') then
    job.billed_minutes = int(written)
    redis.call('HSET', K.job(id), 'billed_minutes', job.billed_minutes, 'line', job.line)
    if job.set_aside then keep_aside(id, job) end
  end
  return started_ms + owed * MINUTE_MS
end

-- A host that has not told for a while how long a job ran is no reason to look at it again and again.
local SOONEST_MS = 1000

local function bill_again(id, next_minute_ms)
  redis.call('ZADD', K.billing(), int(math.max(next_minute_ms, NOW + SOONEST_MS)), id)
end

-- The job enters RUNNING. age_ms: how long ago its container began, by its host's clock, believed as in note_ran.
local function begin_run(id, job, age_ms)
  age_ms = math.min(age_ms, NOW - tonumber(job.placed_ms or NOW))
  job.begun_ms = int(NOW - math.max(0, age_ms, tonumber(job.ran_ms or '0')))
  redis.call('HSET', K.job(id), 'running_ms', int(NOW), 'begun_ms', job.begun_ms)
  bill_again(id, bill(id, job))
end
