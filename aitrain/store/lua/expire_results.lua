-- Asks until when what an attempt could not push is kept on its host, and gives it up if that time is past.
-- ARG: id, fence, keep_ms (how long what no time is noted for is kept after the job's end, 0 for ever), look (change nothing).
-- Returns {known, until_ms, left_ms, expired}. until_ms: null while the job has not ended, 0 for ever; left_ms: until then, if
-- it is a time. expired: it may be removed, and is not pushed any more. known = false: there is no such job.
local job = read_job(ARG.id)
if not job then return reply({known = false, until_ms = cjson.null, expired = false}) end
if not STATES[job.state].ended then return reply({known = true, until_ms = cjson.null, expired = false}) end
local noted = job.fence == ARG.fence and job.kept_until_ms
local until_ms = tonumber(noted or (ARG.keep_ms > 0 and job.state_ms + ARG.keep_ms or 0))
local expired = until_ms > 0 and until_ms <= NOW
if expired and noted and not ARG.look then
  redis.call('HSETNX', K.job(ARG.id), 'expired_ms', int(NOW))
  redis.call('HSET', K.job(ARG.id), 'note', 'its results were kept for their time, and are removed from host ' .. job.host)
end
return reply({known = true, until_ms = until_ms, left_ms = until_ms > 0 and until_ms - NOW or nil, expired = expired})
