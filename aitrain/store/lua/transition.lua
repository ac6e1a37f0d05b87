-- The one door for change: moves a job if it is where the caller believes.
-- ARG: id, fence, from (list of states), to, op; optional: holder (of the step's lease), lost_ms (only while its host is
--      lost, and silent for at least so long), code, message, cause, fields, ran_ms, age_ms, token, again, pause_ms,
--      keep_ms, grace_ms (see move in shared/moves.lua).
-- Returns {moved, state, fence, waiting}. moved = false: you were late; state and fence say what stands.
-- waiting: jobs that wait for the flavor of which units may have come free.
local job = read_job(ARG.id)
if not job then
  -- A deletion that was asked for came with the move itself, and the call is sent again after a broken connection.
  local last = redis.call('HMGET', k_job(ARG.id), 'last_op', 'state', 'fence')
  local again = last[1] == ARG.op
  return reply({moved = again, state = again and last[2] or cjson.null, fence = again and last[3] or cjson.null, waiting = 0})
end
local function answer(moved)
  return reply({moved = moved, state = job.state, fence = job.fence, waiting = waiting_count(job.flavor)})
end
if job.last_op == ARG.op then return answer(true) end -- the same call, sent again after a broken connection
if job.fence ~= ARG.fence then return answer(false) end
if ARG.holder and job.lease_holder ~= ARG.holder then return answer(false) end
if ARG.lost_ms and not is_lost(job.host, ARG.lost_ms) then return answer(false) end
-- Somebody stopped it, took its auto-restart back, or only had its results pushed, while whoever moves it thought otherwise:
-- it must not run again. Of the jobs that are stopped, only one that is evicted does.
if ARG.to == 'QUEUED' then
  local taken_back = ARG.again == 'restart' and job.auto_restart ~= '1'
  local stopped = job.stop_asked == '1' or (job.state == 'INTERRUPTING' and job.evicting ~= '1')
  if stopped or taken_back or job.push_asked == '1' then return answer(false) end
end
for _, state in ipairs(ARG.from) do
  if state == job.state then
    move(ARG.id, job, ARG.to, ARG)
    return answer(true)
  end
end
return answer(false)
