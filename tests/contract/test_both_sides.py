"""What stands both in Lua and in Python is the same there: pieces, and constants."""

import re
from importlib.resources import files

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cancellist.jobs.ledger.accounts import LIVE_MS
from cancellist.jobs.ledger.core import FORMAT
from cancellist.jobs.ledger.pieces import pack_fresh, unpack_piece
from cancellist.jobs.model import Piece
from cancellist.jobs.responses.steps import DEALLOCATED

LUA = files("cancellist.jobs.ledger.scripts") / "lua" / "shared"
SENT = """
local FORMAT = '%s'
%s
local fields = cjson.decode(ARGV[2])
local p = piece.decode(ARGV[1])
for name, value in pairs(fields) do p[name] = value end
return { piece.encode(p), piece.encode(piece.decode(piece.encode(p))), p.c }
"""
NAMES = {
    "a": "attempts", "n": "named", "m": "unclear_until_ms", "r": "reads", "s": "refusal_status", "w": "refusal_words",
    "o": "unanswered", "t": "alone", "x": "reads_alone", "l": "called_ms", "d": "deallocated",
}  # fmt: skip
COUNTS = st.integers(0, 2**31)
HISTORIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys("anmrotxl", COUNTS), "s": st.integers(100, 599), "d": st.just(1), "e": st.sampled_from([1, 2]),
        "w": st.text(st.characters(blacklist_categories=["Cs"]), max_size=50),
    },
)  # fmt: skip
REFERENCES = st.lists(st.from_regex(r"EC-[A-Z0-9]{3}", fullmatch=True), min_size=1, max_size=50)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REFERENCES, HISTORIES)
async def test_python_reads_a_piece_that_lua_packed(ledger, references, history):
    text = SENT % (FORMAT, (LUA / "pieces.lua").read_text())
    packed = pack_fresh("\n".join(references))
    once, again, count = await ledger.redis.eval(text, 0, packed, orjson.dumps(history))
    assert unpack_piece(again) == unpack_piece(once)
    assert count == len(references)
    values = {NAMES[name]: value for name, value in history.items() if name in NAMES}
    if "e" in history:
        values |= {"read_back": True, "confirmed": history["e"] == 2}
    if "deallocated" in values:
        values["deallocated"] = True
    assert unpack_piece(once) == Piece(tuple(references), **values)


@pytest.mark.parametrize(
    ("module", "pattern", "value"),
    [
        ("jobs", r"local PENDING_MS, WORKER_MS = \d+, (\d+)", str(LIVE_MS)),
        ("jobs", r"local DEALLOCATED = '(.*)' --", DEALLOCATED),
    ],
)
def test_a_constant_of_both_is_the_same_in_both(module, pattern, value):
    assert re.findall(pattern, (LUA / f"{module}.lua").read_text()) == [value]


def test_every_field_of_a_piece_is_looked_at():
    assert {"references", *NAMES.values(), "read_back", "confirmed"} == set(Piece.__slots__)
