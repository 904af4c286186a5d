-- Reinstatements: the consignments of an account for which another was created, or may have been. None is ever forgotten,
-- since Create Consignment makes another one each time.
--
-- account:NAME:reinstated (hash)  old reference -> JSON {v, state, attempt, run, at, until, new?}
--   state: 'sending': a request is under way, or its sender died; 'unconfirmed': it may have been created, and was not
--   found; 'made': it was created, as `new`. attempt: the request's own name. at: when it was claimed, ms; until: when its
--   sender surely sends it no more, ms
local reinstated = {}

function reinstated.read(reference)
  local text = call('HGET', K.reinstated(), reference)
  return text and cjson.decode(text) or nil
end

function reinstated.write(reference, e) call('HSET', K.reinstated(), reference, cjson.encode(e)) end
