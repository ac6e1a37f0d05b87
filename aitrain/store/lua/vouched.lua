-- What is vouched for of a job's run: by who submitted it, and by who sent it to its host. Changes nothing.
-- ARG: id, fence, host.
-- Returns {project, spec}: the spec only as it was submitted, false if it was changed or the job has ended. {}: nobody sent
-- this run to this host.
local project, digest = ORIGIN.of(ARG.id, ARG.fence, ARG.host)
if not project then return reply({}) end
local spec = redis.call('HGET', K.job(ARG.id), 'spec')
return reply({project = project, spec = spec and redis.sha1hex(spec) == digest and spec or false})
