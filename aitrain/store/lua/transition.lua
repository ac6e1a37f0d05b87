-- The one door for change: moves a job if it is where the caller believes.
-- ARG: id, fence, from (list of states), to, op; optional: holder (of the step's lease), code, message, cause, fields,
--      rows, written, token, grace_ms (see move in common.lua).
-- Returns {moved, state, fence, waiting}. moved = false: you were late; state and fence say what stands.
local job = read_job(ARG.id)
if not job then return reply({moved = false, state = cjson.null, fence = cjson.null, waiting = 0}) end
local function answer(moved)
  return reply({moved = moved, state = job.state, fence = job.fence, waiting = waiting_count(job.flavor)})
end
if job.last_op == ARG.op then return answer(true) end -- the same call, sent again after a broken connection
if job.fence ~= ARG.fence then return answer(false) end
if ARG.holder and job.lease_holder ~= ARG.holder then return answer(false) end
-- Somebody stopped it while its data was pushed: it must not be queued again by its auto-restart.
if job.state == 'FINALIZING' and ARG.to == 'QUEUED' and job.auto_restart ~= '1' then return answer(false) end
for _, state in ipairs(ARG.from) do
  if state == job.state then
    move(ARG.id, job, ARG.to, ARG)
    return answer(true)
  end
end
return answer(false)
