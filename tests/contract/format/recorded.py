"""Recorded namespaces: the plain commands that make one again, on any kind of server."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
BEGAN_MS = 1_767_225_600_000
"""When recordings say that they were made: leases, retries and probes of theirs are long due."""
_NEAR_MS = 86_400_000

Command = list[bytes]


def load(number: int) -> tuple[dict[str, list[str]], list[Command]]:
    """The texts that each job must have one result for, and the commands."""
    document = json.loads((FOLDER / f"format-{number}.json").read_text(encoding="utf-8"))
    return document["jobs"], [[_bytes(word) for word in command] for command in document["commands"]]


def save(number: int, jobs: Mapping[str, Sequence[str]], commands: Sequence[Command]) -> Path:
    """Writes a recording, a command a line."""
    path = FOLDER / f"format-{number}.json"
    lines = ",\n".join(json.dumps([_word(word) for word in command], ensure_ascii=False) for command in commands)
    head = ",\n".join(f"{json.dumps(job)}: {json.dumps(texts)}" for job, texts in jobs.items())
    path.write_text(f'{{"jobs": {{\n{head}\n}}, "commands": [\n{lines}\n]}}\n', encoding="utf-8")
    return path


async def replay(redis: Any, commands: Sequence[Command]) -> None:
    """Makes the namespace again."""
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    await pipe.execute()


async def commands_of(redis: Any, pattern: str) -> list[Command]:
    """The commands that make what is there."""
    found: list[Command] = []
    for key in sorted([key async for key in redis.scan_iter(pattern)]):
        kind = (await redis.type(key)).decode()
        found += [command async for command in _READ[kind](redis, key)]
    return found


def moved(commands: Sequence[Command], began_ms: int) -> list[Command]:
    """With times near the recording's moved to `BEGAN_MS`; what was set far in the future stays there."""

    def move(match: "re.Match[bytes]") -> bytes:
        at = int(match[0])
        return str(at - began_ms + BEGAN_MS).encode() if abs(at - began_ms) < _NEAR_MS else match[0]

    return [[re.sub(rb"(?<!\d)\d{13}(?!\d)", move, word) for word in command] for command in commands]


async def _string(redis: Any, key: bytes) -> Any:
    value, left_ms = await redis.get(key), await redis.pttl(key)
    # What is kept for a time is kept for a week from when it is loaded.
    yield [b"SET", key, value, *([b"EX", b"604800"] if left_ms >= 0 else [])]


async def _hash(redis: Any, key: bytes) -> Any:
    yield [b"HSET", key, *(word for pair in sorted((await redis.hgetall(key)).items()) for word in pair)]


async def _list(redis: Any, key: bytes) -> Any:
    yield [b"RPUSH", key, *await redis.lrange(key, 0, -1)]


async def _set(redis: Any, key: bytes) -> Any:
    yield [b"SADD", key, *sorted(await redis.smembers(key))]


async def _zset(redis: Any, key: bytes) -> Any:
    rows = await redis.zrange(key, 0, -1, withscores=True)
    yield [b"ZADD", key, *(word for member, score in rows for word in (b"%d" % score, member))]


async def _stream(redis: Any, key: bytes) -> Any:
    for entry, fields in await redis.xrange(key):
        yield [b"XADD", key, entry, *(word for pair in fields.items() for word in pair)]
    for group in await redis.xinfo_groups(key):
        yield [b"XGROUP", b"CREATE", key, group["name"], b"0"]
        for reader in await redis.xinfo_consumers(key, group["name"]):
            # What is pending was read from the beginning: whatever came before is off the stream.
            yield [
                b"XREADGROUP", b"GROUP", group["name"], reader["name"], b"COUNT", b"%d" % reader["pending"],
                b"STREAMS", key, b">",
            ]  # fmt: skip


_READ: dict[str, Callable[[Any, bytes], Any]] = {
    "string": _string, "hash": _hash, "list": _list, "set": _set, "zset": _zset, "stream": _stream,
}  # fmt: skip


def pairs(command: Command) -> Iterator[tuple[bytes, bytes]]:
    """The field-value pairs of a HSET."""
    yield from zip(command[2::2], command[3::2], strict=True)


def _word(word: bytes) -> str | dict[str, str]:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return {"hex": word.hex()}


def _bytes(word: str | dict[str, str]) -> bytes:
    return word.encode() if isinstance(word, str) else bytes.fromhex(word["hex"])
