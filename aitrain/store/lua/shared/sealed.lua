-- Sealed secrets: where they stand, and by which key each was sealed, so that a rotation costs what is yet to be sealed anew.

local SEALED = {}

-- The id of the key that sealed a token. See domain/sealing.py.
local function key_of(token) return string.match(token, '^%d+%.(%x+)%.') or 'none' end

function SEALED.note(member, token)
  redis.call('SADD', K.sealed_by(key_of(token)), member)
  redis.call('SADD', K.sealing_keys(), key_of(token))
end

function SEALED.unnote(member, token)
  redis.call('SREM', K.sealed_by(key_of(token)), member)
  if redis.call('EXISTS', K.sealed_by(key_of(token))) == 0 then redis.call('SREM', K.sealing_keys(), key_of(token)) end
end

-- Keeps a secret of a project, in the place of one of the same kind and name.
function SEALED.keep(project, kind, name, token)
  local field, member = kind .. '/' .. name, kind .. '/' .. project .. '/' .. name
  local before = redis.call('HGET', K.sealed(project), field)
  if before then SEALED.unnote(member, before) end
  redis.call('HSET', K.sealed(project), field, token)
  SEALED.note(member, token)
end

function SEALED.drop(project, kind, name)
  local field = kind .. '/' .. name
  local before = redis.call('HGET', K.sealed(project), field)
  if before then SEALED.unnote(kind .. '/' .. project .. '/' .. name, before) end
  redis.call('HDEL', K.sealed(project), field)
end

-- Keeps the variables of a new job, {name = token}.
function SEALED.keep_env(id, tokens)
  for name, token in pairs(tokens) do
    redis.call('HSET', K.sealed_env(id), name, token)
    SEALED.note('env/' .. id, token)
  end
end

-- Forgets the variables of a job. Only for those who may read them: see erase, in indexes.lua.
function SEALED.drop_env(id)
  for _, token in ipairs(redis.call('HVALS', K.sealed_env(id))) do SEALED.unnote('env/' .. id, token) end
  redis.call('DEL', K.sealed_env(id))
end

-- What was delivered to a host for a job goes with the job.
function SEALED.take_back(host, id)
  for _, field in ipairs(redis.call('HKEYS', K.delivered(host))) do
    if string.sub(field, 1, #id + 1) == id .. '/' then redis.call('HDEL', K.delivered(host), field) end
  end
end
