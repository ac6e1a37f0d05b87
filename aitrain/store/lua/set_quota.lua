-- Sets a quota of a project, and lets held jobs in for which there is room now.
-- ARG: project, kind ('gpu', 'cpu', 'jobs', 'cache'), limit (-1 for none).
-- Returns {}.
if ARG.limit < 0 then
  redis.call('HDEL', K.quota_limit(), quota_field(ARG.project, ARG.kind))
else
  redis.call('HSET', K.quota_limit(), quota_field(ARG.project, ARG.kind), int(ARG.limit))
end
let_in_all(ARG.project)
return reply({})
