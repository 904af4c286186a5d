"""What a later version of a format may add to what is written, and what an earlier one may lack.

Fields mean something by their absence: each is passed over by whoever does not know it, and missed by nobody.
"""

import msgpack
import orjson

from tests.contract.format import recorded


def grown(command):
    """A command as a later version of the same format might have it."""
    name, key = command[0], command[1].decode()
    place = key.rpartition(":")[2]
    if name == b"HSET":
        return _grown_hash(command, key, place)
    if name == b"RPUSH":
        return [*command[:2], *map(_GROWN_ITEMS[place], command[2:])]
    if name == b"XADD" and place in {"results", "trouble"}:
        return [*command, b"added", b"x"]
    if name == b"SET" and (":idempotency:" in key or ":done:" in key):
        return [*command[:2], command[2] + b" added", *command[3:]]
    return command


def _grown_hash(command, key, place):
    if place in _GROWN_VALUES:
        return fields_by(command, _GROWN_VALUES[place])
    if place == "state":
        return [*fields_by(command, lambda v, f: _GROWN_STATE.get(f, lambda v: v)(v)), b"added", b"x"]
    if ":job:" in key:
        return [*fields_by(command, grown_sample), b"added", b"x"]
    return command


def fields_by(command, change):
    pairs = [word for field, value in recorded.pairs(command) for word in (field, change(value, field))]
    return [*command[:2], *pairs]


def grown_json(text):
    return orjson.dumps({**orjson.loads(text), "added": {"x": 1}})


def grown_piece(packed):
    head, _, body = packed.partition(b"\n")
    if head[:1] != b"{":
        head = orjson.dumps({"v": 1, "c": int(head.split(b" ")[1]), "a": 0, "n": 0, "m": 0})
    return grown_json(head) + b"\n" + body


def grown_claim(packed, _):
    claim = msgpack.unpackb(packed)
    parts = [grown_piece(part.encode()).decode() if n % 2 else part for n, part in enumerate(claim["parts"])]
    return msgpack.packb(claim | {"parts": parts, "added": {"x": [1]}})


def grown_flow(packed):
    state = orjson.loads(packed)
    parts = [[*part, 0] for part in state["memory"]]
    seen = {drain: orjson.loads(grown_counters(orjson.dumps(counters))) for drain, counters in state["seen"].items()}
    return orjson.dumps(state | {"memory": [*parts, [1]], "seen": seen, "added": 1})


def grown_counters(packed, _=None):
    at, _, counters = packed.rpartition(b" ") if packed[:1] != b"[" else (b"", b"", packed)
    more = orjson.dumps([*orjson.loads(counters), {"added": 1}])
    return at + b" " + more if at else more


def grown_sample(value, field):
    if field == b"samples":
        return b" ".join(_longer(sample, b":", 5) for sample in value.split(b" "))
    return _longer(value, b" ", 3) if field == b"sampled" else value


def _longer(text, between, fields):
    """With a field more than there are by now; recordings may have fewer."""
    own = text.split(between)
    return between.join([*own, *[b"0"] * (fields - len(own)), b"9"])


_GROWN_VALUES = {
    "claimed": grown_claim,
    "flow": grown_counters,
    "words": lambda value, _: value + b" added",
    "alone": lambda value, _: grown_piece(value),
    "later": lambda value, _: grown_piece(value),
}
_GROWN_STATE = {b"flow": grown_flow, b"list_search": grown_json}
_GROWN_ITEMS = {
    "calls": grown_piece,
    "reads": grown_piece,
    "runs": lambda run: run + b" added",
    "invalid": grown_json,
}

LACKED = {
    b"samples", b"sampled", b"idle", b"flow", b"flow_version", b"limit", b"limit_at", b"interval", b"size", b"explore",
    b"limit_stale",
    b"retry_budget", b"last_kind", b"tat", b"breaker", b"breaker_next", b"breaker_since", b"breaker_why", b"hold_why",
    b"list_search", b"spread", b"urgent_out", b"urgent_at",
}  # fmt: skip


def shrunk(command):
    """A command as an earlier version of the same format might have it; None where it had none."""
    name, key = command[0], command[1].decode()
    place = key.rpartition(":")[2]
    if place in {"flow", "words", "served"}:
        return None
    if name == b"HSET" and place == "claimed":
        return fields_by(command, shrunk_claim)
    if name == b"HSET" and (place == "state" or (":job:" in key and key.count(":") == 2)):
        return [*command[:2], *(w for f, v in recorded.pairs(command) if f not in LACKED for w in (f, v))]
    if name == b"XADD" and place == "trouble":  # it once named references without their jobs
        at = command.index(b"named")
        return [*command[:at], b"references", command[at + 1].split(b" ", 1)[1].replace(b" ", b"\n")]
    return command


def shrunk_claim(packed, _):
    claim = msgpack.unpackb(packed)
    return msgpack.packb({name: value for name, value in claim.items() if name not in {"probe", "size", "at", "gate"}})
