-- Hosts as an operator sees them. Changes nothing.
-- ARG: hosts (names).
-- Returns [{host, agent, worker, max_jobs, fit, seen_ms_ago, alive, lost, cordon = {by, reason, ms}, drain_ms, disk_free,
-- disk_size, flavors = {flavor = [{id, stands, aside}]}, jobs = [{id, state, flavor, units}]}], of those that there are.
-- stands: as in units.lua; fit, cordon, drain_ms, disk_*, aside, agent and worker (versions): absent if nothing was said.
local rows = {}
for _, host in ipairs(ARG.hosts) do
  local held = redis.call('HMGET', K.host(host), 'max_jobs', 'fit', 'seen_ms', 'cordon_ms', 'cordon_by', 'cordon_reason', 'drain_ms',
    'disk_free', 'disk_size')
  if held[1] then
    local versions = redis.call('HMGET', K.host_versions(host), 'agent', 'worker')
    local row = {
      host = host, agent = versions[1] or nil, worker = versions[2] or nil, max_jobs = from_host(held[1]) or 0,
      fit = held[2] ~= '0', seen_ms_ago = NOW - (from_host(held[3]) or 0), lost = is_lost(host, 0),
      alive = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0') > NOW, drain_ms = from_host(held[7]),
      disk_free = from_host(held[8]), disk_size = from_host(held[9]),
      cordon = from_host(held[4]) and {ms = from_host(held[4]), by = held[5] or '', reason = held[6] or ''} or nil, flavors = {}, jobs = {},
    }
    for _, flavor in ipairs(redis.call('SMEMBERS', K.flavors())) do
      local flat, units = redis.call('HGETALL', K.host_units(host, flavor)), {}
      for i = 1, #flat, 2 do
        local entry = redis.call('HGET', K.host_aside(host), unit_name(flavor, flat[i]))
        local _, aside = pcall(cjson.decode, entry or 'null')
        units[#units + 1] = {id = flat[i], stands = flat[i + 1], aside = type(aside) == 'table' and aside or nil}
      end
      if #units > 0 then row.flavors[flavor] = units end
    end
    for _, id in ipairs(redis.call('SMEMBERS', K.host_jobs(host))) do
      local job = redis.call('HMGET', K.job(id), 'state', 'flavor', 'units')
      if job[1] then row.jobs[#row.jobs + 1] = {id = id, state = job[1], flavor = job[2], units = tonumber(job[3])} end
    end
    rows[#rows + 1] = row
  end
end
return #rows > 0 and reply(rows) or '[]'
