"""One producer: a file of references handed in as `cancellist enqueue` does it, in a process of its own.

    python -m bench.producer FILE

with the settings in the environment. Prints one line of JSON: `{"job", "seconds", "total", "duplicates", "peak_mib"}`,
where `seconds` runs from the file's opening to the moment when the job is sealed and its drains are enqueued.
"""

import argparse
import asyncio
import json
import resource
import sys
import time

from cancellist.cli.actions import enqueue_report, input_file
from cancellist.cli.session import ledger_of
from cancellist.config.loading import load
from cancellist.jobs.model import JobRequest
from cancellist.jobs.parsing.patterns import ReferencePattern


async def enqueue(path: str) -> dict[str, str | float]:
    """Hand in a file and return what was measured."""
    settings = load()
    async with ledger_of(settings) as opened:
        started = time.perf_counter()
        with input_file.opened([path], pattern=ReferencePattern(settings.reference_pattern)) as feed:
            submitted = await enqueue_report.submit(opened.ledger, JobRequest(), feed, settings)
        seconds = time.perf_counter() - started
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "job": submitted.job,
        "seconds": seconds,
        "total": submitted.total,
        "duplicates": submitted.duplicates,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Hands in a file of references.")
    parser.add_argument("file")
    print(json.dumps(asyncio.run(enqueue(parser.parse_args().file))))


if __name__ == "__main__":
    main()
