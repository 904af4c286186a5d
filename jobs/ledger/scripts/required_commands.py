"""Checks that a script makes before its first write: its user's rights, and the kinds of the fixed keys.

An ACL stops a script at a forbidden command, but earlier writes of the script stay: half a settlement would count
references twice. So each script asks at its start for every command that it may reach, and is refused as a whole. The
same holds for commands that the server lacks (rename-command). The commands are found in the scripts' own text. Fixed
keys are checked for the same reason: a key of another kind would stop the script halfway.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cancellist.jobs.ledger.keys import Keys

_FUNCTION = re.compile(r"^(?:local )?function ([\w.]+)\((?:.* end$|(?:.|\n)*?^end$)", re.MULTILINE)
_CALL = re.compile(r"\bcall\('([A-Z]+)'(?:, '([A-Z]+)')?")
_NAME = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)?\b")
_CONTAINERS = frozenset({"XINFO"})
_OF_THE_INTAKE = frozenset({"intake", "rejected"})
LENGTHS: Final = {
    **dict.fromkeys(("results", "intake", "rejected", "trouble"), "XLEN"),
    **dict.fromkeys(("totals", "state", "claimed", "groups", "words", "flow"), "HLEN"),
    "accounts": "SCARD",
}
"""Commands that fail on a key of another kind, by the last word of the key's name; all other keys are sorted sets."""
JOBS: Final = "KEYS[2]"
"""The list of jobs."""
_CHANNELS = frozenset({"PUBLISH"})
_KEYS_ONLY = frozenset({"EXISTS", "UNLINK"})
"""Commands that take every argument for a key."""


def functions(shared: Iterable[str]) -> dict[str, str]:
    """The functions of the shared parts by name. Functions of the same name are joined."""
    found: dict[str, str] = {}
    for part in shared:
        for match in _FUNCTION.finditer(part):
            found[match[1]] = found.get(match[1], "") + match[0]
    return found


def commands_of(text: str, shared: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The commands that a script may reach, also through shared functions, sorted by name."""
    commands: set[tuple[str, ...]] = set()
    seen: set[str] = set()
    waiting = [text]
    while waiting:
        body = waiting.pop()
        for name, sub in _CALL.findall(body):
            commands.add((name, sub) if name in _CONTAINERS else (name,))
        for name in set(_NAME.findall(body)) - seen:
            seen.add(name)
            if name in shared:
                waiting.append(shared[name])
    return sorted(commands)


def asking(commands: Iterable[tuple[str, ...]], key: str = JOBS) -> str:
    """Lua code that refuses the script if a command is off or forbidden, for this key or the channel."""
    lists = []
    for words in commands:
        on = "ARGV[1] .. 'wake'" if words[0] in _CHANNELS else key
        quoted = ", ".join(f"'{word}'" for word in words)
        rest = "" if words[0] in _KEYS_ONLY else ", '0', '0'"
        lists.append(f"{{ {quoted}, {on}{rest} }}")
    return (
        f"for _, command in ipairs({{ {', '.join(lists)} }}) do\n"
        "  local known, allowed = pcall(redis.acl_check_cmd, unpack(command))\n"
        "  if not known then\n"
        '    return redis.error_reply("ERR unknown command \'" .. command[1] .. "\'")\n'
        "  end\n"
        "  if not allowed then\n"
        '    return redis.error_reply("NOPERM this user has no permissions to run the \'"'
        ' .. string.lower(command[1]) .. "\' command")\n'
        "  end\n"
        "end"
    )


def looking(commands: Iterable[tuple[str, ...]]) -> str:
    """Lua code that refuses the script if a fixed key holds another kind of value, and names the key.

    Streams are checked only by scripts that write to them, since other users need no right to do so. The intake's
    streams are not checked: their users find a wrong kind themselves, and all other work can go on.
    """
    names = [key.decode().rpartition(":")[2] for key in Keys().of_account("")]
    looked_at = {"ZCARD", "HLEN"} | ({"XLEN"} if ("XADD",) in set(commands) else set())
    lengths = ["" if name in _OF_THE_INTAKE else LENGTHS.get(name, "ZCARD") for name in names]
    asked = [f"'{length}'" if length in looked_at else "false" for length in lengths]
    return (
        f"for at, length in ipairs({{ {', '.join(asked)} }}) do\n"
        "  local reply = length and redis.pcall(length, KEYS[at])\n"
        "  if type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true) then\n"
        "    return redis.error_reply('WRONGTYPE ' .. KEYS[at] .. ' holds another kind of value')\n"
        "  end\n"
        "end"
    )
