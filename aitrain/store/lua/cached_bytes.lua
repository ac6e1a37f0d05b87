-- How many bytes of a project all hosts have cached, or are about to.
-- ARG: project.
-- Returns the number.
return reply(int(cached_bytes(ARG.project)))
