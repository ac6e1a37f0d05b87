-- What submissions and orders have in common.

-- How many jobs wait for the flavors of which units are free. open: as recount in units.lua returns it.
local function waiting_for(open)
  local waiting = 0
  for flavor, free in pairs(open) do
    if free > 0 then waiting = waiting + waiting_count(flavor) end
  end
  return waiting
end

-- What the orders (stop, start, delete, edit) answer: done, the state that stands (null: no such job), a word on why.
local function told(done, job, why)
  return reply({done = done, state = job and job.state or cjson.null, why = why})
end
