"""The receipt of a reinstatement: a file beside the one of old and new references."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cancellist.cli.actions.reinstate_approval import Approvals, content
from cancellist.cli.actions.reinstate_work import Work
from cancellist.cli.terminal import say
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.private_files import write_new
from cancellist.jobs.safety import reinstatement_receipt
from cancellist.jobs.safety.receipt import parse_line
from cancellist.jobs.safety.reinstatement import Fate
from cancellist.jobs.times import rfc3339
from cancellist.worker.reinstating.run import Run

if TYPE_CHECKING:
    from cancellist.jobs.ledger.receipt_keys import Signer


class Papers:
    """What a run leaves behind as its receipt, in the file `path`.

    Args:
        work: what is reinstated.
        approvals: who has approved it.
        signer: who signs; None for nobody.
    """

    def __init__(self, work: Work, approvals: Approvals, signer: "Signer | None") -> None:
        self._work = work
        self._approvals = approvals
        self._signer = signer
        self._began_ms = 0
        journal = work.journal().path
        self.path = journal.with_name(f"{journal.stem}.{work.run}.receipt.json")

    def begin(self) -> None:
        """Notes when the run begins."""
        self._began_ms = _now_ms()

    def write(self, run: Run, wanted: Sequence[str]) -> str:
        """Writes the receipt of what was done, and says where; returns its digest.

        Raises:
            OutputError: it cannot be written.
        """
        work, journal, signer = self._work, self._work.journal(), self._signer
        fates = (run.done[one].fate if one in run.done else Fate.PENDING for one in wanted)
        line = reinstatement_receipt.make(
            {
                "namespace": work.settings.namespace, "run": work.run, "target": work.asked.target,
                "account": work.account, "host": work.own.environment.host, "by": work.by,
                "began_at": rfc3339(self._began_ms), "ended_at": rfc3339(_now_ms()),
                "state": "halted" if run.halted else "done", "why": plain(run.halted) if run.halted else None,
                "content": content(work), "approvals": self._approvals.section(),
                "counts": {fate.value: count for fate, count in Counter(fates).items()}, "file": journal.seal(),
            },
            signer.public_key if signer else None,
            signer.sign if signer else bytes,
        )  # fmt: skip
        write_new(self.path, line)
        say(f"{self.path} is its receipt{'' if signer else ', not signed: CANCELLIST_RECEIPT_KEY_FILE signs it'}")
        return str(reinstatement_receipt.of_document(parse_line(line)).digest)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
