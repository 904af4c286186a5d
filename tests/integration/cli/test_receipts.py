"""`cancellist receipt` and `verify`: a receipt is made once and checked without the server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Desk, Done
from tests.support.commands import desk as a_desk

NOWHERE = {"redis_url": "redis://127.0.0.1:1/0", "data_dir": "/nowhere"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(tmp_path_factory.mktemp("receipts")) as one:
        yield one


@pytest.fixture(scope="module")
def key(desk: Desk) -> Path:
    """The public key; the private one signs receipts from here on."""
    made = desk.ok("receipt", "--new-key", "receipt.pem", "--json").document
    assert made["public_file"] == "receipt.pem.pub"
    assert (desk.folder / "receipt.pem").stat().st_mode & 0o777 == 0o600
    desk.settings["receipt_key_file"] = str(desk.folder / "receipt.pem")
    return desk.folder / "receipt.pem.pub"


@pytest.fixture(scope="module")
def job(desk: Desk, key: Path) -> str:
    references = [*desk.fresh(5), *desk.fresh(1, "Manifested")]
    made = desk.ok("enqueue", "-", "--reason", "strike", "--requested-by", "shop", text="\n".join(references))
    desk.drain()
    return made.out.strip()


@pytest.fixture(scope="module")
def receipt(desk: Desk, job: str) -> Path:
    done = desk.ok("receipt", job, "--output", "receipt.json")
    assert " was made: its digest is " in done.err
    assert "signed by " in done.err
    return desk.folder / "receipt.json"


@pytest.fixture(scope="module")
def results(desk: Desk, job: str) -> Path:
    desk.ok("results", job, "--format", "jsonl", "--output", "results.jsonl")
    return desk.folder / "results.jsonl"


def verify(desk: Desk, *arguments: object) -> Done:
    """`verify` with no server that it could reach."""
    return desk.run("verify", *arguments, **NOWHERE)


def test_a_receipt_is_the_same_however_often_it_is_asked_for(desk: Desk, job: str, receipt: Path) -> None:
    again = desk.ok("receipt", job.upper(), "--json", receipt_key_file="")
    assert again.out.encode() == receipt.read_bytes()
    assert "was made" not in again.err
    assert again.document["job"]["reason"] == "strike"
    assert again.document["counts"]["outcomes"] == {"cancelled": 5, "manifested": 1}
    (act,) = again.document["job"]["acts"]
    assert (act["what"], act["via"], act["about"]) == ("enqueue", "cli", "6 references")


def test_it_verifies_with_its_key_and_its_results(desk: Desk, receipt: Path, results: Path, key: Path) -> None:
    wanted = json.loads(results.read_text().splitlines()[3])
    done = verify(desk, receipt, "--key", key, "--results", results, "--result", wanted["reference"].lower())
    assert done.status == 0, done
    assert "verified: receipt " in done.out
    assert "signed by the key that was given" in done.out
    assert "all 6 results are those that the receipt stands for" in done.out
    assert f"{wanted['reference']} is {wanted['outcome']}: result 4 of the receipt" in done.out
    assert done.err == ""
    document = verify(desk, receipt, "--key", key, "--json").document
    assert document["receipts"][0]["verified"] is True


def test_without_a_key_it_is_not_called_verified(desk: Desk, receipt: Path) -> None:
    done = verify(desk, receipt)
    assert (done.status, "verified" in done.out) == (0, False)
    assert "not by whom" in done.err


def alter(lines: list[bytes], how: str) -> list[bytes]:
    match how:
        case "exchanged":
            return [lines[1], lines[0], *lines[2:]]
        case "left out":
            return lines[1:]
        case "added":
            return [*lines, lines[-1]]
        case "altered":
            return [lines[0].replace(b'"attempts":1', b'"attempts":2'), *lines[1:]]
        case "another outcome":
            return [line.replace(b'"outcome":"manifested"', b'"outcome":"cancelled"') for line in lines]
        case "a name twice":
            return [lines[0].replace(b"{", b'{"attempts":1,'), *lines[1:]]
        case "another job":
            return [lines[0].replace(b'"job":"', b'"job":"x'), *lines[1:]]
        case _:
            return [b"no result\n", *lines]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("exchanged", "not in the order"), ("left out", "there are 5 results"), ("added", "two results"),
        ("altered", "a result was altered"), ("another outcome", "6 results are cancelled, and it says 5"),
        ("a name twice", "line 1: it is no result: it holds a name twice"), ("another job", "it is a result of job"),
        ("no result", "line 1: it is no result: it is not JSON"),
    ],
)  # fmt: skip
def test_results_that_are_not_those_of_the_receipt_are_told(
    desk: Desk, receipt: Path, results: Path, how: str, says: str
) -> None:
    other = desk.file("other.jsonl", b"".join(alter(results.read_bytes().splitlines(keepends=True), how)))
    done = verify(desk, receipt, "--results", other)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert says in done.err


def test_one_result_is_proved_by_itself(desk: Desk, job: str, receipt: Path, results: Path, key: Path) -> None:
    reference = json.loads(results.read_text().splitlines()[-1])["reference"]
    desk.ok("receipt", job, "--proof", reference.lower(), "--output", "proof.json")
    done = verify(desk, "proof.json", "--key", key, "--result", reference)
    assert f"{reference} is " in done.out
    assert "result 6 of the receipt" in done.out
    assert verify(desk, receipt, "proof.json", "--json").document["place"] == 6
    other = desk.file("other.json", (desk.folder / "proof.json").read_bytes().replace(b'"index":5', b'"index":4'))
    assert "not at that place" in verify(desk, other).err
    assert "no result of EC-999-999-999 is covered" in verify(desk, "proof.json", "--result", "EC-999-999-999").err
    assert "a receipt alone does not say" in verify(desk, receipt, "--result", reference).err


def test_receipts_are_a_chain_whose_gaps_and_missing_end_are_seen(desk: Desk, receipt: Path) -> None:
    for _ in range(2):
        job = desk.ok("enqueue", "-", text=desk.fresh(1)[0]).out.strip()
        desk.drain()
        assert desk.ok("receipt", job).document["job"]["job"] == job
    lines = desk.ok("receipt", "--all").out.encode().splitlines(keepends=True)
    assert receipt.read_bytes() in lines
    folder = desk.folder / "chain"
    folder.mkdir()
    for number, line in enumerate(lines, 1):
        (folder / f"{number}.json").write_bytes(line)
    last = len(lines)
    assert f"receipts 1 to {last} follow each other" in verify(desk, folder).out
    head = json.loads(lines[-1])["digest"]
    assert verify(desk, folder, "--head", head).status == 0
    (folder / f"{last}.json").unlink()
    assert verify(desk, folder).status == 0
    assert "later ones are missing" in verify(desk, folder, "--head", head).err
    gap = desk.file("gap.jsonl", b"".join([*lines[:-2], lines[-1]]))
    assert f"receipt {last - 1} is missing" in verify(desk, gap).err


def test_what_is_not_signed_says_so_and_no_key_verifies_it(desk: Desk, key: Path) -> None:
    job = desk.ok("enqueue", "-", text=desk.fresh(1)[0]).out.strip()
    desk.drain()
    done = desk.ok("receipt", job, "--output", "plain.json", receipt_key_file="")
    assert "not signed" in done.err
    assert json.loads((desk.folder / "plain.json").read_text())["note"].startswith("This receipt is not signed")
    done = verify(desk, "plain.json")
    assert (done.status, "verified" in done.out, "not signed" in done.out) == (0, False, True)
    done = verify(desk, "plain.json", "--key", key)
    assert (done.status, done.out) == (1, "")
    assert "it is not signed, so no key can verify it" in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("receipt",), 2, "give one of JOB, --all and --new-key"),
        (("receipt", "--all", "--proof", "EC-000-05D-1NS"), 2, "--proof is for one JOB"),
        (("receipt", "nosuchjob"), 1, "no job 'nosuchjob'"),
        (("receipt", "--new-key", "receipt.pem"), 1, "there already"),
        (("verify", "none.json"), 1, "none.json cannot be read: No such file"),
        (("verify", "empty.json"), 1, "empty.json: it is empty"),
        (("verify", "folder"), 1, "no file that ends with .json"),
        (("verify", "cut.json"), 1, "cut.json, line 1: the receipt is cut"),
        (("verify", "receipt.json", "--key", "receipt.pem"), 1, "holds a private key"),
        (("verify", "receipt.json", "--key", "empty.json"), 1, "no public Ed25519 key"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(desk: Desk, receipt: Path, arguments, status: int, says: str) -> None:
    desk.file("empty.json", "")
    desk.file("cut.json", receipt.read_bytes()[:-1])
    (desk.folder / "folder").mkdir(exist_ok=True)
    done = desk.run(*arguments)
    assert (done.status, done.out, done.err.count("\n")) == (status, "", 1)
    assert says in done.err


def test_a_job_that_has_not_ended_and_an_open_key_give_none(desk: Desk, key: Path) -> None:
    job = desk.ok("enqueue", "-", "--start-at", "+1h", text=desk.fresh(1)[0]).out.strip()
    done = desk.run("receipt", job)
    assert (done.status, done.out) == (1, "")
    assert f"job {job} is held and cannot be given a receipt" in done.err
    desk.ok("abort", "--yes", job)
    private = desk.folder / "receipt.pem"
    private.chmod(0o644)
    assert "chmod 600" in desk.run("receipt", job).err
    private.chmod(0o600)
    assert desk.ok("receipt", job).document["counts"]["outcomes"] == {"aborted": 1}
