"""The form of receipts: their members, and what must fit together in them."""

from collections.abc import Mapping
from typing import Any, Final

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.escaping import shown
from cancellist.jobs.model import Outcome
from cancellist.jobs.safety.signed_document import Document, check_signing, is_hash

TYPE: Final = "cancellist receipt 1"
TREE: Final = "RFC 6962, SHA-256"
RESULT: Final = ("job", "reference", "outcome", "message", "status", "state", "attempts", "at")
"""The members of a result that a leaf covers."""
_MEMBERS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "type": str, "note": str, "namespace": str, "number": int, "previous": (str, type(None)), "made_at": str,
    "job": dict, "counts": dict, "results": dict, "signed_by": (str, type(None)), "digest": str,
    "signature": (str, type(None)),
}  # fmt: skip


def check_members(document: Document) -> None:
    """Checks the members of a receipt.

    Raises:
        ReceiptError: one is missing, not known, or of the wrong form.
    """
    if set(document) != set(_MEMBERS):
        differs = shown(", ".join(sorted(set(document) ^ set(_MEMBERS))))
        raise ReceiptError(f"it is no receipt: members are missing, or not known: {differs}")
    for name, kind in _MEMBERS.items():
        if not isinstance(document[name], kind) or isinstance(document[name], bool):
            raise ReceiptError(f"it is no receipt: {name} is of the wrong type")
    results, previous, number = document["results"], document["previous"], document["number"]
    if set(results) != {"tree", "leaves", "root"} or results["tree"] != TREE or not is_hash(results["root"]):
        raise ReceiptError("it is no receipt: results has other members than tree, leaves and root")
    if number < 1 or (previous is None) != (number == 1) or (previous is not None and not is_hash(previous)):
        raise ReceiptError("its number and the digest of the receipt before it do not fit together")
    if not isinstance(document["job"].get("job"), str):
        raise ReceiptError("it is no receipt: it names no job")
    check_signing(document)


def check_counts(document: Document) -> None:
    """Checks that the counts agree with each other.

    Raises:
        ReceiptError: they do not.
    """
    counts = document["counts"]
    outcomes = counts.get("outcomes")
    numbers = [counts.get("total"), counts.get("duplicates"), counts.get("invalid"), document["results"]["leaves"]]
    if not isinstance(outcomes, dict) or not all(_is_count(n) for n in (*numbers, *outcomes.values())):
        raise ReceiptError("it is no receipt: its counts are no numbers")
    if unknown := sorted(set(outcomes) - set(Outcome)):
        raise ReceiptError(f"it counts an outcome that is none: {shown(unknown[0])}")
    if not sum(outcomes.values()) == counts["total"] == document["results"]["leaves"]:
        raise ReceiptError(
            f"its counts do not agree: {sum(outcomes.values()):,} by outcome, {counts['total']:,} in all, and "
            f"{document['results']['leaves']:,} results"
        )


def check_result(result: Any, job: str) -> None:
    """Checks that a parsed document is a result of this job, with the members that a leaf covers.

    Raises:
        ReceiptError: it is not.
    """
    if not isinstance(result, dict) or set(result) != set(RESULT):
        raise ReceiptError(f"it is no result: it has other members than {', '.join(RESULT)}")
    if result["outcome"] not in list(Outcome):  # it may be anything, and a set asks for its hash
        raise ReceiptError("it is no result: its outcome is none")
    if result["job"] != job:
        raise ReceiptError(f"it is a result of job {shown(str(result['job']))}, and the receipt is of job {job}")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
