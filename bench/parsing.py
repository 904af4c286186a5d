"""How many references a second the way from a file's bytes to packed chunks takes in, one process, one thread.

    python -m bench.parsing [--count 1000000] [--spilled 1000000]

Each row reads blocks of 64 KiB, checks every entry, removes duplicates and packs chunks of 100; the best of three runs.
The rows below show removing duplicates alone, and the memory it holds.
"""

import argparse
import gc
import json
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import psutil

from bench.references import references
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.parsing.chunking import Chunker
from cancellist.jobs.parsing.documents import read
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import classify

BLOCK_BYTES = 64 * 1024
BATCH = 10_000
PATTERN = ReferencePattern()


def blocks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), BLOCK_BYTES):
        yield content[start : start + BLOCK_BYTES]


def batches(known: list[str]) -> Iterator[list[str]]:
    # Joined and split again, so that strings are new and their hashes are not cached, as from a file.
    for start in range(0, len(known), BATCH):
        yield "\n".join(known[start : start + BATCH]).split("\n")


def parse(content: bytes) -> int:
    return sum(len(classify(raw, PATTERN).valid) for raw in read(blocks(content), pattern=PATTERN))


def submit(content: bytes) -> int:
    chunker, chunks = Chunker(), 0
    with Deduplicator() as deduplicator:
        for raw in read(blocks(content), pattern=PATTERN):
            chunks += len(chunker.feed(deduplicator.unique(classify(raw, PATTERN).valid)))
    return chunks + len(chunker.flush())


def best(work: Callable[[], object], rounds: int = 3) -> float:
    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def documents(known: list[str]) -> dict[str, bytes]:
    return {
        "lines": "".join(f"{one}\n" for one in known).encode(),
        "lines, CRLF": "".join(f"{one}\r\n" for one in known).encode(),
        "lines, small letters": "".join(f"{one.lower()}\n" for one in known).encode(),
        "lines, 1 % malformed": "".join(f"{one}{'?' * (n % 100 == 0)}\n" for n, one in enumerate(known)).encode(),
        "lines, UTF-16": "".join(f"{one}\n" for one in known).encode("utf-16"),
        "CSV, one column": ("reference\n" + "".join(f"{one}\n" for one in known)).encode(),
        "CSV, three columns": ("id,reference,city\n" + "".join(f"7,{one},Leeds\n" for one in known)).encode(),
        "CSV, quoted": ("id,reference,city\n" + "".join(f'7,"{one}","Leeds, UK"\n' for one in known)).encode(),
        "JSON array": json.dumps(known).encode(),
        "JSON array, indented": json.dumps(known, indent=2).encode(),
        "JSON array of objects": json.dumps([{"reference": one, "city": "Leeds"} for one in known]).encode(),
        "JSON lines, strings": "".join(f'"{one}"\n' for one in known).encode(),
        "JSON lines, objects": "".join(f'{{"reference":"{one}","city":"Leeds"}}\n' for one in known).encode(),
    }


def deduplicate(count: int, in_memory: int, *, ordered: bool) -> tuple[float, int]:
    """Return references a second, and the memory in bytes; must run in a new process."""
    known = references(count)
    if not ordered:
        random.Random(1).shuffle(known)
    process = psutil.Process()
    gc.collect()
    before, spent = process.memory_info().rss, 0.0
    with Deduplicator(in_memory) as deduplicator:
        for batch in batches(known):
            start = time.perf_counter()
            deduplicator.unique(batch)
            spent += time.perf_counter() - start
        held = process.memory_info().rss - before
    return len(known) / spent, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--spilled", type=int, default=1_000_000)
    arguments = parser.parse_args()
    known = references(arguments.count)
    print(f"{'references a second':28}{'read, checked':>16}{'and packed':>16}")
    for name, content in documents(known).items():
        read_only, whole = (best(lambda work=work: work(content)) for work in (parse, submit))  # noqa: B023  # runs at once
        print(f"{name:28}{arguments.count / read_only:16,.0f}{arguments.count / whole:16,.0f}")
    print(f"\n{'duplicates removed':28}{'a second':>16}{'MiB held':>16}")
    for name, count, in_memory, ordered in (
        ("2,000,000 in memory", 2_000_000, 2_000_000, True),
        ("on disk, in order", arguments.spilled, 0, True),
        ("on disk, in no order", arguments.spilled, 0, False),
    ):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            rate, held = process.submit(deduplicate, count, in_memory, ordered=ordered).result()
        print(f"{name:28}{rate:16,.0f}{held / 2**20:16,.0f}")


if __name__ == "__main__":
    main()
