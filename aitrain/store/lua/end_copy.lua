-- Ends an ordered copy with its answer, if this worker still holds it.
-- ARG: id, copy (id of the order), holder, fields (state, summary, lines, error, code).
-- Returns {ended}.
local copy = read_copy(ARG.id)
if not copy or copy.id ~= ARG.copy or copy.holder ~= ARG.holder then return reply({ended = false}) end
if copy.state == 'WORKING' then
  close_copy(ARG.id, ARG.fields)
  copy.state = ARG.fields.state
end
return reply({ended = copy.state == ARG.fields.state})
