"""What `cancellist receipt` does."""

from pathlib import Path
from typing import TYPE_CHECKING

from cancellist.cli import session
from cancellist.cli.output import destination, wording
from cancellist.cli.output.occasional import Occasional
from cancellist.cli.terminal import emit, is_terminal, say
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.escaping import plain_json
from cancellist.jobs.ledger import receipts
from cancellist.jobs.safety import receipt
from cancellist.jobs.safety.receipt import Receipt

if TYPE_CHECKING:
    from cancellist.jobs.ledger.receipt_keys import Signer


def make_key(file: str, *, as_json: bool) -> None:
    """Makes a key in a new file.

    Raises:
        OutputError: the file is there, or cannot be written.
    """
    from cancellist.jobs.ledger import receipt_keys  # noqa: PLC0415 - slow to import, and rarely needed

    path = Path(file)
    public_file, public = receipt_keys.make_key(path)
    if as_json:
        emit({"file": file, "public_file": str(public_file), "key": public.hex()})
        return
    say(f"{path} has the private key: keep it, and set {receipt_keys.SETTING} to it")
    say(f"{public_file} has the public key, {public.hex()[:16]}…: give it to whoever checks receipts")


def write_receipt(job: str, proof: str | None, output: str | None) -> None:
    """Writes the receipt of a job, with the proof of one result where that is wanted.

    Raises:
        CancellistError: there is none, and none can be made.
    """
    line = session.run(_receipt(job, proof))
    made = receipt.of_document(receipt.parse_line(line)["receipt"]) if proof else receipt.read(line)
    session.run(_write([line], output))
    _say(made)


def write_all(output: str | None) -> None:
    """Writes all receipts, one a line."""
    lines = session.run(_all())
    session.run(_write(lines, output))
    say("1 receipt" if len(lines) == 1 else f"{wording.count(len(lines))} receipts")


async def _receipt(job: str, proof: str | None) -> bytes:
    settings = load()
    async with session.ledger_of(settings) as opened:
        progress = Occasional("reading results: {read:,} of {there:,}")
        line = await receipts.kept(opened.ledger, job)
        if line is None:
            line, made = await receipts.make(opened.ledger, job, signer_of(settings), progress)
            if made:
                say(f"receipt {made.number} was made: its digest is {made.digest}")
        if proof is None:
            return line
        return await receipts.proof(opened.ledger, line, proof.strip(), progress)


def signer_of(settings: Settings) -> "Signer | None":
    """Who signs receipts; None where no key is set.

    Raises:
        SettingsError: the key cannot be used.
    """
    if settings.receipt_key_file is None:
        return None
    from cancellist.jobs.ledger.receipt_keys import load_signer  # noqa: PLC0415 - slow to import

    return load_signer(settings.receipt_key_file)


async def _all() -> list[bytes]:
    async with session.ledger_of(load()) as opened:
        return [line async for line in receipts.chain(opened.ledger)]


async def _write(lines: list[bytes], output: str | None) -> None:
    drawn = output in {None, destination.STANDARD} and is_terminal()
    async with destination.opened(output) as sink:
        for line in lines:
            await sink.write(plain_json(line.decode()).encode() if drawn else line)


def _say(made: Receipt) -> None:
    counts = made.document["counts"]["outcomes"]
    told = ", ".join(f"{wording.count(number)} {outcome}" for outcome, number in sorted(counts.items()))
    say(f"receipt {made.number} of job {made.job}: {told or 'no results'}")
    if made.signed_by:
        say(f"signed by {made.signed_by[:16]}…")
    else:
        say("not signed: it does not show who made it; CANCELLIST_RECEIPT_KEY_FILE signs those made from now on")
