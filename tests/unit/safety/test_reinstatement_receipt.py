"""The receipt of a reinstatement: altered in any byte it does not agree with itself."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.ledger.receipt_keys import is_signature, make_key
from cancellist.jobs.safety.receipt import parse_line
from cancellist.jobs.safety.reinstatement_receipt import check_file, make, of_document
from cancellist.jobs.safety.signed_document import check_signature

TEXT = b'{"at":"x"}\n{"at":"y"}\n'
CONTENT = {
    "namespace": "n", "run": "r", "target": "EC-000-05D-1NS", "account": "default", "host": "api.example.com",
    "by": "anna", "began_at": "2026-11-29T00:00:00.000Z", "ended_at": "2026-11-29T00:00:01.000Z", "state": "halted",
    "why": "5 in a row were not created", "content": "c", "counts": {"created": 2, "refused": 5},
    "approvals": {"wanted": 1, "given": ["bo"], "planned_by": "anna"},
    "file": {"name": "reinstated.default.jsonl", "bytes": len(TEXT), "sha256": sha256(TEXT).hexdigest()},
}  # fmt: skip


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    from cancellist.jobs.ledger.receipt_keys import load_signer

    path = tmp_path_factory.mktemp("key") / "key.pem"
    make_key(path)
    signer = load_signer(path)
    return make(CONTENT, signer.public_key, signer.sign)


def check(line: bytes) -> None:
    check_signature(of_document(parse_line(line)), is_signature)


@given(data=st.data())
def test_altered_in_any_byte_or_cut_it_does_not_verify(line, data):
    check(line)
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != line[at]))
    for altered in (line[:at] + bytes([byte]) + line[at + 1 :], line[:at]):
        with pytest.raises(ReceiptError):
            check(altered)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {"lost": 1}}, {"counts": {"created": "1"}}, {"file": {}}, {"approvals": {}}, {"run": 1},
        {"more": "x"}, {"file": CONTENT["file"] | {"sha256": "x"}},
    ],
)  # fmt: skip
def test_another_form_is_none(change):
    with pytest.raises(ReceiptError):
        of_document(parse_line(make(CONTENT | change, None, bytes)))


@given(st.binary(max_size=30))
def test_the_file_may_only_have_grown(text):
    made = of_document(parse_line(make(CONTENT, None, bytes)))
    check_file(made, TEXT + text)
    if not text.startswith(TEXT):
        with pytest.raises(ReceiptError):
            check_file(made, text)
