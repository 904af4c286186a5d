"""Each script is sent with those shared functions that it needs, and with no others."""

import re

import pytest

from cancellist.jobs.ledger.scripts.loader import NAMES, Script
from cancellist.jobs.ledger.scripts.needed_parts import SharedParts
from tests.support import ROOT

STRING = re.compile(r"""'[^'\n]*'|"[^"\n]*\"""")
DECLARED = re.compile(r"\b(?:local|for) ([\w, ]+?)(?= =| in\b|$)|\bfunction ?([\w.]*)\(([\w, .]*)\)", re.MULTILINE)
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*\b(?! *=[^=])")
LUA = set(re.findall(r"\w+", """
    and break do else elseif end false for function if in local nil not or repeat return then true until while
    ARGV KEYS bit cjson cmsgpack error ipairs math next pairs pcall redis select string table tonumber tostring type
    unpack
"""))  # fmt: skip
SHARED = "\n".join(path.read_text() for path in (ROOT / "jobs/ledger/scripts/lua/shared").glob("*.lua"))
FUNCTIONS = re.findall(r"^(?:local )?function ([\w.]+)", SHARED, re.MULTILINE)


def _code(name: str) -> str:
    return STRING.sub("''", Script(name).text.partition("\n")[2])


@pytest.mark.parametrize("name", NAMES)
def test_a_script_has_every_name_that_it_mentions(name):
    code = _code(name)
    declared = {word for found in DECLARED.findall(code) for word in re.findall(r"\w+", " ".join(found))}
    assert set(NAME.findall(code)) - declared - LUA == set()
    mentioned = {function for function in FUNCTIONS if re.search(rf"(?<![\w.]){re.escape(function)}\b", code)}
    assert mentioned - set(re.findall(r"function ([\w.]+)", code)) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_script_has_no_function_that_it_never_mentions(name):
    code = _code(name)
    has = set(re.findall(r"^(?:local )?function ([\w.]+)", code, re.MULTILINE))
    assert {function for function in has if code.count(function) == 1} == set()


def test_what_is_needed_through_others_comes_along_in_the_order_of_the_parts():
    parts = SharedParts([
        "-- both of them\nlocal A, B = 1, 2 -- one\nlocal unused = 3\nlocal t = {}\n",
        "function t.one(x)\n  -- one\n  return B + x\nend\nfunction t.two() return t.one(1) end\nt.three = A\n",
        "local function far() return t.two() end\nlocal function other() return t.three end\n",
    ])  # fmt: skip
    assert parts.needed("return far()").splitlines() == [
        "local A, B = 1, 2", "local t = {}", "function t.one(x)", "  return B + x", "end",
        "function t.two() return t.one(1) end", "local function far() return t.two() end",
    ]  # fmt: skip
    assert parts.needed("return 1") == ""
