-- Says that the log of an attempt is over. ARG: id, fence (of any attempt), total, complete. Returns {}.
local job, attempt = read_job(ARG.id), string.match(ARG.fence, '^%d+')
if job and tonumber(attempt) <= tonumber(job.attempt) and LOG.open(ARG.id, job, attempt, ARG.fence) then
  redis.call('HSET', K.log(ARG.id, attempt), 'total', int(ARG.total), 'complete', ARG.complete and '1' or '0')
  redis.call('ZADD', K.log_ends(), int(NOW), ARG.id .. '/' .. attempt)
  LOG.settle(ARG.id, attempt)
end
return reply({})
