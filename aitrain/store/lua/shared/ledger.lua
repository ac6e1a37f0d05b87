-- The ledger: what a run owes follows from times alone, and is written by whatever looks at it, as often as it looks.
-- Minute k of an attempt begins k minutes after its clock started, by the store's clock, and belongs to the month in which
-- it begins. A line is a stretch of minutes of one month and one price; only the last line of an attempt grows.

local MINUTE_MS = 60000
-- What `bill` needs to know of a job.
local BILLED_FIELDS = {
  'project', 'flavor', 'units', 'hourly_price', 'host', 'policy', 'attempt', 'state', 'placed_ms', 'pending_ms',
  'begun_ms', 'ran_ms', 'billed_minutes', 'line',
}

-- A host tells for how long a container has run, by its own clock. It is believed as far as the store's clock allows: the
-- container cannot be older than the attempt's place on the host. The most that was told stands.
local function note_ran(id, job, ran_ms)
  ran_ms = math.min(ran_ms, NOW - tonumber(job.placed_ms or NOW))
  if ran_ms <= tonumber(job.ran_ms or '0') then return end
  job.ran_ms = int(ran_ms)
  redis.call('HSET', k_job(id), 'ran_ms', job.ran_ms)
end

-- When the clock of a run started. A store that lost its last second may be told of PENDING after the container's start.
local function clock_started_ms(job)
  local begun_ms = tonumber(job.begun_ms)
  local from = {initializing = job.placed_ms, pending = job.pending_ms}
  return math.min(begun_ms, tonumber(from[job.policy] or begun_ms))
end

-- What of a job must outlive it: its lines are grouped by that.
local function describe(id, job, month)
  local held = redis.call('HMGET', k_job(id), 'spec', 'labels')
  local spec = cjson.decode(held[1])
  redis.call('HSET', k_ledger_jobs(job.project, month), id, cjson.encode({
    name = spec.name, user = spec.user, labels = cjson.decode(held[2] or '{}'),
  }))
end

-- Its labels have changed. What counts is what they were when it was billed last.
local function describe_again(id, job)
  if not job.line or not STATES[job.state].runs then return end
  local month = month_of(clock_started_ms(job) + (job.billed_minutes - 1) * MINUTE_MS)
  describe(id, job, month)
end

-- Writes minutes first to first + count - 1: as part of the attempt's last line, or as a new one.
local function write_line(id, job, stretch)
  local key, held = k_ledger(job.project, stretch.month), nil
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
  redis.call('HSET', key, field(job.line), cjson.encode({
    stretch.count, stretch.begins_ms, stretch.price, job.flavor, tonumber(job.units), job.policy, job.host,
  }))
  redis.call('SADD', k_ledger_months(job.project), stretch.month)
  redis.call('SADD', k_ledger_projects(), job.project)
  describe(id, job, stretch.month)
end

-- What stands in k_spent: minutes x units x price, in millionths. Prices have six places at most.
local function spend(job, stretch)
  local millionths = math.floor(tonumber(stretch.price) * 1e6 + 0.5)
  redis.call('HINCRBY', k_spent(stretch.month), job.project, int(stretch.count * tonumber(job.units) * millionths))
end

-- Bills what a run owes by now and is not in the ledger: nothing, if it never reached RUNNING. Returns when its next minute
-- may begin. job: its fields, at least BILLED_FIELDS.
local function bill(id, job)
  if not job.begun_ms then return NOW end
  local started_ms = clock_started_ms(job)
  local elapsed_ms = tonumber(job.begun_ms) - started_ms + tonumber(job.ran_ms or '0')
  local owed, written = math.max(1, math.ceil(elapsed_ms / MINUTE_MS)), tonumber(job.billed_minutes or '0')
  while written < owed do
    local begins_ms = started_ms + written * MINUTE_MS
    local month, month_ends_ms = month_of(begins_ms)
    local price, next_price_ms = price_at(job, begins_ms)
    local until_ms = math.min(month_ends_ms, next_price_ms)
    local count = math.min(owed - written, math.ceil((until_ms - begins_ms) / MINUTE_MS))
    local stretch = {first = written, count = count, begins_ms = begins_ms, month = month, price = price}
    write_line(id, job, stretch)
    spend(job, stretch)
    written = written + count
  end
  if written > tonumber(job.billed_minutes or '0') then
    job.billed_minutes = int(written)
    redis.call('HSET', k_job(id), 'billed_minutes', job.billed_minutes, 'line', job.line)
  end
  return started_ms + owed * MINUTE_MS
end

-- A host that has not told for a while how long a job ran is no reason to look at it again and again.
local SOONEST_MS = 1000

local function bill_again(id, next_minute_ms)
  redis.call('ZADD', k_billing(), int(math.max(next_minute_ms, NOW + SOONEST_MS)), id)
end

-- The job enters RUNNING. age_ms: how long ago its container began, by its host's clock, believed as in note_ran.
local function begin_run(id, job, age_ms)
  age_ms = math.min(age_ms, NOW - tonumber(job.placed_ms or NOW))
  job.begun_ms = int(NOW - math.max(0, age_ms, tonumber(job.ran_ms or '0')))
  redis.call('HSET', k_job(id), 'running_ms', int(NOW), 'begun_ms', job.begun_ms)
  bill_again(id, bill(id, job))
end
