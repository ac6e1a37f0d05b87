-- The ledger.

-- Ledger rows: [{key = 'job/attempt/minute', month = '2026-11', row = '{...}'}]. A row that stands is never written over.
local function bill(id, job, rows, written)
  for _, row in ipairs(rows) do
    redis.call('HSETNX', k_ledger(job.project, row.month), row.key, row.row)
    redis.call('SADD', k_ledger_months(job.project), row.month)
  end
  if written and written > tonumber(job.billed_minutes or '0') then
    job.billed_minutes = int(written)
    redis.call('HSET', k_job(id), 'billed_minutes', job.billed_minutes)
  end
end
