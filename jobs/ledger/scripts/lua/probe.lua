#!lua flags=allow-oom
-- Checks what the ledger's scripts need: access to a declared key, and to a key that is found only inside of a script.
-- KEYS    1 the key of a job that does not exist
-- ARGV    1 the suffix of the key that is not declared
-- Answer  {name of the server or '', its version or '', 1 where a script may ask for its user's rights}
-- Keeps   nothing: both keys are gone at the end, whatever command was forbidden.
local keys = { KEYS[1], KEYS[1] .. ARGV[1] }
local refused
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refused = refused or reply end
  return reply
end
if redis.acl_check_cmd then
  for _, command in ipairs({ 'UNLINK', 'HSET', 'HGET' }) do
    local known, allowed = pcall(redis.acl_check_cmd, command, KEYS[1], '0', '0')
    if known and not allowed then
      return redis.error_reply("NOPERM this user has no permissions to run the '" .. string.lower(command) .. "' command")
    end
  end
end
for _, key in ipairs(keys) do try('UNLINK', key) end
if refused then return refused end -- nothing is written that could not be removed again
local held = true
for _, key in ipairs(keys) do
  try('HSET', key, 'v', 1)
  held = held and try('HGET', key, 'v') == '1'
end
for _, key in ipairs(keys) do try('UNLINK', key) end
if refused then return refused end
if not held then return redis.error_reply('ERR a script does not find what it has written') end
local name = redis.SERVER_NAME or (redis.REDIS_VERSION and 'redis') or ''
return { name, redis.VALKEY_VERSION or redis.REDIS_VERSION or '', redis.acl_check_cmd and 1 or 0 }
