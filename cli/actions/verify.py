"""What `cancellist verify` does. It reads files alone, and asks no server."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from cancellist.cli.actions.verify_reinstatement import check_signature, verify_reinstatements
from cancellist.cli.output import wording
from cancellist.cli.terminal import emit, say
from cancellist.jobs.errors import InputError, ReceiptError
from cancellist.jobs.escaping import shown
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.model import Outcome
from cancellist.jobs.safety import receipt, reinstatement_receipt
from cancellist.jobs.safety.canonical_json import canonical
from cancellist.jobs.safety.receipt import Leaves, Proof, Receipt
from cancellist.jobs.safety.reinstatement_receipt import ReinstatementReceipt

_STANDARD: Final = "-"
_LONGEST: Final = 16 * 1024 * 1024
_ENDINGS: Final = frozenset({".json", ".jsonl"})
_BATCH: Final = 1000
_IN_MEMORY: Final = 500_000


@dataclass(frozen=True, slots=True)
class Against:
    """What receipts are checked against: names of files, a reference, and the digest of the last receipt."""

    keys: Sequence[str] = ()
    results: str | None = None
    result: str | None = None
    head: str | None = None


def verify(files: Sequence[str], against: Against, *, as_json: bool) -> None:
    """Checks receipts and proofs, and says what was checked.

    Raises:
        ReceiptError: something does not agree.
        InputError: a file cannot be read, or what is wanted cannot be checked by what is given.
    """
    keys = _keys(against.keys)
    receipts, proofs, reinstatements = _read(files)
    if reinstatements:
        if receipts or against.result is not None or against.head is not None:
            raise InputError(
                "receipts of reinstatements have no chain and no single results",
                hint="check them alone, with --results",
            )
        verify_reinstatements(reinstatements, keys, against.results, as_json=as_json)
        return
    for one in receipts:
        with _of(one):
            check_signature(one, keys)
    chain = receipt.check_chain(receipts)
    if against.head is not None and chain[-1].digest != against.head.strip().lower():
        raise ReceiptError(
            f"the last receipt, number {chain[-1].number}, has another digest than was given: later ones are missing"
        )
    found = _check_results(chain, against) if against.results is not None else None
    shown_result = _result(proofs, found, against)
    if as_json:
        emit(_document(chain, shown_result, against, keyed=bool(keys)))
    else:
        _tell(chain, shown_result, against, keyed=bool(keys))


def _keys(files: Sequence[str]) -> list[bytes]:
    if not files:
        return []
    from cancellist.jobs.ledger.receipt_keys import load_public  # noqa: PLC0415 - slow to import

    return [load_public(Path(file)) for file in files]


@contextmanager
def _of(one: Receipt) -> Iterator[None]:
    """Adds to an error which receipt it is about."""
    try:
        yield
    except ReceiptError as error:
        raise ReceiptError(f"receipt {one.number} of job {one.job}: {error.message}") from None


def _read(names: Sequence[str]) -> tuple[list[Receipt], list[Proof], list[ReinstatementReceipt]]:
    """The receipts of all files, each once, the proofs among them, and receipts of reinstatements."""
    receipts: dict[bytes, Receipt] = {}
    proofs: list[Proof] = []
    reinstatements: list[ReinstatementReceipt] = []
    for name in _files(names):
        number = 0
        for number, line in _lines(name):
            try:
                document = receipt.parse_line(line)
                if reinstatement_receipt.is_receipt(document):
                    reinstatements.append(reinstatement_receipt.of_document(document))
                    continue
                if receipt.is_proof(document):
                    proofs.append(receipt.read_proof(line))
                    found = proofs[-1].receipt
                else:
                    found = receipt.read(line)
            except ReceiptError as error:
                raise ReceiptError(f"{name}, line {number}: {error.message}") from None
            receipts[canonical(found.document)] = found
        if number == 0:
            raise ReceiptError(f"{name}: it is empty")
    return list(receipts.values()), proofs, reinstatements


def _files(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        folder = Path(name)
        if name == _STANDARD or not folder.is_dir():
            yield name
            continue
        found = sorted(str(one) for one in folder.iterdir() if one.suffix in _ENDINGS and one.is_file())
        if not found:
            raise InputError(f"the folder {name} has no file that ends with .json or .jsonl")
        yield from found


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, each with its end.

    Raises:
        InputError: the file cannot be read.
        ReceiptError: a line is too long.
    """
    try:
        with _opened(name) as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
                if len(line) == _LONGEST:
                    raise ReceiptError(f"{name}, line {number}: it is longer than {_LONGEST:,} bytes")
                yield number, line
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or type(error).__name__}") from None


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == _STANDARD:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


@dataclass(frozen=True, slots=True)
class _Place:
    """A result, and its place among all, counted from 1."""

    result: Any
    number: int


def _check_results(chain: Sequence[Receipt], against: Against) -> _Place | None:
    """Checks a file of results; returns the one that is asked for, where it is there."""
    if len(chain) != 1:
        raise InputError("--results has the results of one job: give one receipt")
    made, wanted = chain[0], _spellings(against.result)
    found: _Place | None = None
    leaves = Leaves()
    with Deduplicator(_IN_MEMORY) as seen, _of(made):
        batch: list[str] = []
        for number, line in _lines(against.results or ""):
            try:
                one = receipt.parse_result(line, made.job)
            except ReceiptError as error:
                raise ReceiptError(f"{against.results}, line {number}: {error.message}") from None
            leaves.add(one)
            if found is None and one["reference"] in wanted:
                found = _Place(one, number)
            if one["outcome"] != Outcome.INVALID:
                batch.append(one["reference"])
            if len(batch) == _BATCH:
                _check_once(seen, batch)
                batch = []
        _check_once(seen, batch)
        receipt.check_results(made, leaves)
    return found


def _check_once(seen: Deduplicator, batch: list[str]) -> None:
    seen.unique(batch)
    if seen.duplicates:
        raise ReceiptError("a reference has two results")


def _spellings(text: str | None) -> frozenset[str]:
    """A reference as it may stand in a result; empty where none is asked for."""
    return frozenset({text.strip(), text.strip().upper()}) if text is not None else frozenset()


def _result(proofs: Sequence[Proof], found: _Place | None, against: Against) -> _Place | None:
    """The result that is asked for; of a proof alone, the one that it proves."""
    wanted = _spellings(against.result)
    if not wanted:
        return _Place(proofs[0].result, proofs[0].index + 1) if len(proofs) == 1 else None
    for one in proofs:
        if one.result["reference"] in wanted:
            return _Place(one.result, one.index + 1)
    if found is None and against.results is None and not proofs:
        raise InputError(
            "a receipt alone does not say which results it covers",
            hint="give --results FILE, or a proof: `cancellist receipt JOB --proof REFERENCE`",
        )
    if found is None:
        raise ReceiptError(f"no result of {shown(str(against.result))} is covered")
    return found


def _document(chain: Sequence[Receipt], result: _Place | None, against: Against, *, keyed: bool) -> dict[str, Any]:
    return {
        "agrees": True,
        "receipts": [
            {
                "job": one.job,
                "number": one.number,
                "digest": one.digest,
                "results": one.leaves,
                "signed_by": one.signed_by,
                "verified": keyed,
            }
            for one in chain
        ],
        "results_checked": against.results is not None,
        "result": result.result if result else None,
        "place": result.number if result else None,
    }


def _tell(chain: Sequence[Receipt], result: _Place | None, against: Against, *, keyed: bool) -> None:
    for one in chain:
        sys.stdout.write(f"{_words(one, keyed=keyed)}\n")
    if len(chain) > 1:
        sys.stdout.write(f"receipts {chain[0].number} to {chain[-1].number} follow each other\n")
    if against.results is not None:
        many = chain[0].leaves
        every = "the result is the one" if many == 1 else f"all {wording.count(many)} results are those"
        sys.stdout.write(f"{every} that the receipt stands for\n")
    if result:
        one = result.result
        sys.stdout.write(f"{shown(str(one['reference']))} is {one['outcome']}: result {result.number} of the receipt\n")
    if any(one.signed_by is None for one in chain):
        say("not signed: anybody can have made such a receipt")
    elif not keyed:
        say("no --key was given: this shows that nothing was altered since it was signed, and not by whom")


def _words(one: Receipt, *, keyed: bool) -> str:
    what = f"receipt {one.number} of job {shown(one.job)}, {wording.references(one.leaves)}"
    if keyed:
        return f"verified: {what}, signed by the key that was given"
    if one.signed_by:
        return f"agrees with itself: {what}, signed by {one.signed_by}"
    return f"agrees with itself: {what}, not signed"
