"""Picks what a script needs of the shared parts: the server makes each shared function anew at every call of a script.

The shared parts are statements at the left margin, each with indented lines and an end. A statement is needed if the
script, or another needed statement, mentions a name that it defines.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_STATEMENT = re.compile(r"^(?=[A-Za-z])(?!end\b)", re.MULTILINE)
_COMMENT = re.compile(r"^ *--.*\n?| +-- .*$", re.MULTILINE)
_STRING = re.compile(r"""'[^'\n]*'|"[^"\n]*\"""")
_DEFINED = re.compile(r"(?:local )?(?:function )?([\w.]+(?:, [\w.]+)*)")
_NAME = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(\.[A-Za-z_]\w*)?")


@dataclass(frozen=True)
class _Statement:
    text: str

    @cached_property
    def defines(self) -> frozenset[str]:
        """The names that stand at its start: `job.ending` for `function job.ending(id)`."""
        match = _DEFINED.match(self.text)
        return frozenset(match[1].split(", ")) if match else frozenset()

    @cached_property
    def mentions(self) -> frozenset[str]:
        """All names in it; of `job.ending` both `job` and `job.ending`."""
        found = _NAME.findall(_STRING.sub("''", self.text))
        return frozenset(name for name, _ in found) | frozenset(name + field for name, field in found)


class SharedParts:
    """What scripts share, in the order in which it is defined."""

    def __init__(self, parts: Iterable[str]) -> None:
        texts = (text for part in parts for text in _STATEMENT.split(without_comments(part)))
        self._statements = [_Statement(text.rstrip()) for text in texts if text.strip()]
        self._defining: dict[str, set[_Statement]] = {}
        for statement in self._statements:
            for name in statement.defines:
                self._defining.setdefault(name, set()).add(statement)

    def needed(self, script: str) -> str:
        """The statements that a script needs, also those that it needs through others."""
        needed: set[_Statement] = set()
        waiting = {_Statement(script)}
        while waiting:
            mentioned = waiting.pop().mentions
            defined = {statement for name in mentioned for statement in self._defining.get(name, ())}
            waiting |= defined - needed
            needed |= defined
        return "\n".join(statement.text for statement in self._statements if statement in needed)


def without_comments(text: str) -> str:
    """A script without its comments."""
    return _COMMENT.sub("", text)
