-- Marks RUNNING jobs whose timeout was reached. Costs what is due.
-- ARG: limit.
-- Returns the ids of those marked.
local marked = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.deadlines(), '-inf', int(NOW), 'LIMIT', 0, ARG.limit)) do
  time_out(id, read_job(id))
  marked[#marked + 1] = id
end
return reply(marked)
