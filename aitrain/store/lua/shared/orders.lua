-- What submissions and orders have in common.

-- What the orders (stop, start, delete, edit) answer: done, the state that stands (null: no such job), a word on why.
local function told(done, job, why)
  return reply({done = done, state = job and job.state or cjson.null, why = why})
end
