"""Checks receipts of reinstatements, and the file of old and new references that they stand for."""

import sys
from collections.abc import Sequence
from pathlib import Path

from cancellist.cli.output import wording
from cancellist.cli.terminal import emit, say
from cancellist.jobs.errors import InputError, ReceiptError
from cancellist.jobs.escaping import shown
from cancellist.jobs.safety import reinstatement_receipt, signed_document
from cancellist.jobs.safety.reinstatement_receipt import ReinstatementReceipt
from cancellist.jobs.safety.signed_document import SignedDocument


def check_signature(one: SignedDocument, keys: Sequence[bytes]) -> None:
    """Checks the signature of a receipt that is signed, and that it is by one of these keys, where any is given.

    Raises:
        ReceiptError: it is not so.
    """
    if one.signed_by:
        from cancellist.jobs.ledger.receipt_keys import is_signature  # noqa: PLC0415 - slow to import

        signed_document.check_signature(one, is_signature)
    if keys:
        signed_document.check_signer(one, keys)


def verify_reinstatements(
    receipts: Sequence[ReinstatementReceipt], keys: Sequence[bytes], file: str | None, *, as_json: bool
) -> None:
    """Checks receipts of reinstatements, and says what was checked.

    Raises:
        ReceiptError: something does not agree.
        InputError: the file cannot be read.
    """
    text = _text(file) if file is not None else None
    for one in receipts:
        try:
            check_signature(one, keys)
            if text is not None:
                reinstatement_receipt.check_file(one, text)
        except ReceiptError as error:
            raise ReceiptError(f"reinstatement {shown(one.run)}: {error.message}") from None
    if as_json:
        emit({
            "agrees": True,
            "reinstatements": [
                {
                    "run": one.run, "target": one.document["target"], "digest": one.digest, "counts": one.counts,
                    "signed_by": one.signed_by, "verified": bool(keys),
                }
                for one in receipts
            ],
            "results_checked": text is not None,
        })  # fmt: skip
        return
    for one in receipts:
        sys.stdout.write(f"{_words(one, keyed=bool(keys))}\n")
    if text is not None:
        sys.stdout.write("the file of old and new references begins as it did then\n")
    if any(one.signed_by is None for one in receipts):
        say("not signed: anybody can have made such a receipt")
    elif not keys:
        say("no --key was given: this shows that nothing was altered since it was signed, and not by whom")


def _text(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from None


def _words(one: ReinstatementReceipt, *, keyed: bool) -> str:
    counts = ", ".join(f"{wording.count(count)} {outcome}" for outcome, count in sorted(one.counts.items()))
    signed = f"signed by {one.signed_by}" if one.signed_by else "not signed"
    signed = "signed by the key that was given" if keyed else signed
    what = f"reinstatement {shown(one.run)} of {shown(one.document['target'])} by {shown(one.document['by'])}: {counts}"
    return f"{'verified' if keyed else 'agrees with itself'}: {what}, {signed}"
