-- Writes the ledger rows of minutes that have begun, under the attempt's fence, and says when to look again.
-- ARG: id, fence, rows, written, again_ms (from now).
-- Returns {billed}. A row that stands is not written over, so a repeat or a second beat changes nothing.
local job = read_job(ARG.id)
local billed = job ~= nil and job.fence == ARG.fence and job.started_ms ~= nil
if billed then
  bill(ARG.id, job, ARG.rows, ARG.written)
  redis.call('ZADD', k_billing(), 'XX', int(NOW + ARG.again_ms), ARG.id)
end
return reply({billed = billed})
