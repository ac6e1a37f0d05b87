-- Appends what a container wrote, if nobody has written further yet.
-- ARG: id, fence, cursor (what the caller read on from), next_cursor, lines (JSON texts), max_bytes, last (JSON text).
-- Returns {cursor, full}: where the log stands now; the caller reads on from there. The lines that fit into max_bytes are
-- kept, then `last` once, so that a cut log says so itself.
local job = read_job(ARG.id)
if not job or job.fence ~= ARG.fence then return reply({cursor = ARG.cursor, full = true}) end
local cursor, kept = job.log_cursor or '', tonumber(job.log_bytes or '0')
if cursor ~= ARG.cursor or kept < 0 then return reply({cursor = cursor, full = kept < 0}) end
for _, line in ipairs(ARG.lines) do
  kept = kept + #line
  if kept > ARG.max_bytes then
    redis.call('RPUSH', K.log(ARG.id, job.attempt), ARG.last)
    kept = -1
    break
  end
  redis.call('RPUSH', K.log(ARG.id, job.attempt), line)
end
redis.call('HSET', K.job(ARG.id), 'log_cursor', ARG.next_cursor, 'log_bytes', int(kept))
return reply({cursor = ARG.next_cursor, full = kept < 0})
