-- Where a job came from, and where it was sent: written by who submits and by who places, and by nobody else. A host moves
-- jobs, so its user may write what stands in their hashes; which secrets it is given must not follow from that alone.

local ORIGIN = {}

function ORIGIN.begin(id, job) redis.call('SET', K.origin(id), job.project .. ' ' .. redis.sha1hex(job.spec) .. '\n') end

function ORIGIN.sent(id, fence, host) redis.call('APPEND', K.origin(id), fence .. ' ' .. host .. '\n') end

-- The project of a job and the digest of its spec, if a run of it with this fence was sent to this host.
function ORIGIN.of(id, fence, host)
  local text = redis.call('GET', K.origin(id)) or ''
  if not string.find(text, '\n' .. fence .. ' ' .. host .. '\n', 1, true) then return nil end
  return string.match(text, '^(%S+) (%x+)\n')
end

function ORIGIN.forget(id) redis.call('DEL', K.origin(id)) end
