-- Stamps the store with another schema, if it still has the one that the call was made for.
-- ARG: schema (the stamp that it has, '' for none; compared as in every call), new; marks: not if one of these keys exists.
-- Returns {stamped}.
for _, mark in ipairs(ARG.marks) do
  if redis.call('EXISTS', mark) == 1 then return reply({stamped = false}) end
end
redis.call('SET', K.schema(), ARG.new)
return reply({stamped = true})
