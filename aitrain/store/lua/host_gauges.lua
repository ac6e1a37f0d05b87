-- Hosts as whoever watches the site sees them: no job is looked at. Changes nothing.
-- ARG: hosts (names).
-- Returns [{host, seen_ms_ago, alive, lost, fit, cordoned, drained, disk_free, disk_size (bytes, absent if it has not said),
-- jobs (number), units = {flavor = [all, held, aside and not held]}}], of those that there are.
local rows, flavors = {}, redis.call('SMEMBERS', K.flavors())
for _, host in ipairs(ARG.hosts) do
  local held = redis.call('HMGET', K.host(host), 'fit', 'seen_ms', 'cordon_ms', 'drain_ms', 'disk_free', 'disk_size')
  if held[2] then
    local row = {
      host = host, seen_ms_ago = NOW - (from_host(held[2]) or 0), lost = is_lost(host, 0), fit = held[1] ~= '0',
      alive = tonumber(redis.call('ZSCORE', K.hosts(), host) or '0') > NOW, cordoned = held[3] and true or false,
      drained = held[4] and true or false, disk_free = from_host(held[5]), disk_size = from_host(held[6]),
      jobs = redis.call('SCARD', K.host_jobs(host)), units = {},
    }
    for _, flavor in ipairs(flavors) do
      local all, taken, aside = 0, 0, 0
      for _, stands in ipairs(redis.call('HVALS', K.host_units(host, flavor))) do
        all = all + 1
        if stands == ASIDE then aside = aside + 1 elseif stands ~= '' then taken = taken + 1 end
      end
      if all > 0 then row.units[flavor] = {all, taken, aside} end
    end
    rows[#rows + 1] = row
  end
end
return #rows > 0 and reply(rows) or '[]'
