"""Receipts: what was altered, cut, exchanged, left out or added does not verify, whatever it was."""

import copy
import json
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.model import Outcome
from cancellist.jobs.safety import receipt, signed_document
from cancellist.jobs.safety.canonical_json import MOST, canonical, parse, parse_canonical
from cancellist.jobs.safety.merkle import EMPTY, MerkleTree, PathBuilder, leaf_hash, node_hash, root_of
from cancellist.jobs.safety.receipt import Leaves

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
JOB = "6w4h0v2m1x3q"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
results = st.builds(
    lambda outcome, message, status, attempts: {
        "job": JOB, "outcome": outcome.value, "message": message, "status": status, "state": None,
        "attempts": attempts, "at": "2026-11-29T10:00:00.000Z",
    },
    st.sampled_from(Outcome), st.one_of(st.none(), texts), st.one_of(st.none(), st.integers(100, 599)),
    st.integers(0, 9),
)  # fmt: skip
several = st.lists(results, max_size=9).map(
    lambda found: [{**one, "reference": f"EC-000-000-{at:03d}"} for at, one in enumerate(found)]
)


def is_signature(key: bytes, signature: bytes, body: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True


def leaves_of(found) -> Leaves:
    leaves = Leaves()
    for one in found:
        leaves.add(one)
    return leaves


def made(found, *, signed=True, number=1, previous=None, reason="strike") -> bytes:
    leaves = leaves_of(found)
    counts = {"total": len(found), "duplicates": 0, "invalid": 0, "outcomes": dict(leaves.outcomes)}
    content = {
        "namespace": "cancellist", "number": number, "previous": previous, "made_at": "2026-11-29T10:00:00.000Z",
        "job": {"job": JOB, "reason": reason}, "counts": counts, "results": leaves.section(),
    }  # fmt: skip
    return receipt.make(content, PUBLIC if signed else None, KEY.sign)


def verify(line: bytes, found=None) -> receipt.Receipt:
    """All that is checked of a receipt without a key of our own."""
    read = receipt.read(line)
    signed_document.check_signature(read, is_signature)
    if found is not None:
        receipt.check_results(read, leaves_of([receipt.parse_result(json.dumps(one).encode(), JOB) for one in found]))
    return read


def proof_of(found, index, *, signed=True) -> bytes:
    builder = PathBuilder(index, len(found))
    for one in found:
        builder.add(receipt.leaf_of(one))
    return receipt.proof(verify(made(found, signed=signed)), found[index], index, builder.path())


@given(several, st.booleans(), texts)
def test_what_is_made_verifies(found, signed, reason):
    read = verify(made(found, signed=signed, reason=reason), found)
    assert (read.signed_by is not None) == signed
    if signed:
        signed_document.check_signer(read, [PUBLIC])
    with pytest.raises(ReceiptError, match="another key" if signed else "not signed"):
        signed_document.check_signer(read, [OTHER.public_key().public_bytes_raw()])


@given(several, st.booleans(), st.data())
def test_no_byte_can_be_altered(found, signed, data):
    line = made(found, signed=signed)
    at, other = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 255))
    assume(line[at] != other)
    with pytest.raises(ReceiptError):
        verify(line[:at] + bytes([other]) + line[at + 1 :])


@pytest.mark.parametrize("signed", [True, False])
def test_no_bit_of_one_receipt_can_be_turned_and_no_part_of_it_is_one(signed):
    line = made([], signed=signed)
    others = [line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :] for at in range(len(line)) for bit in range(8)]
    for other in [*others, *(line[:end] for end in range(len(line))), *(line[at:] for at in range(1, len(line)))]:
        with pytest.raises(ReceiptError):
            verify(other)


@given(several.filter(len), st.data())
def test_no_byte_of_a_proof_can_be_altered_nor_cut(found, data):
    line = proof_of(found, data.draw(st.integers(0, len(found) - 1)))
    at, other = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 255))
    assume(line[at] != other)
    with pytest.raises(ReceiptError):
        signed_document.check_signature(
            receipt.read_proof(line[:at] + bytes([other]) + line[at + 1 :]).receipt, is_signature
        )
    with pytest.raises(ReceiptError):
        receipt.read_proof(line[:at])


@given(several, st.booleans(), st.data())
def test_nothing_can_be_cut_off_taken_out_or_put_in(found, signed, data):
    line = made(found, signed=signed)
    begin = data.draw(st.integers(0, len(line) - 1))
    end = data.draw(st.integers(begin + 1, len(line)))
    with pytest.raises(ReceiptError):
        verify(line[:begin] + line[end:])
    with pytest.raises(ReceiptError):
        verify(line[:end] + data.draw(st.binary(min_size=1, max_size=3)) + line[end:])


@given(several.filter(lambda found: len(found) > 1), st.data())
def test_results_that_were_exchanged_left_out_added_or_altered_are_found(found, data):
    line = made(found)
    a, b = data.draw(st.lists(st.integers(0, len(found) - 1), min_size=2, max_size=2, unique=True))
    exchanged = copy.copy(found)
    exchanged[a], exchanged[b] = found[b], found[a]
    swapped = copy.deepcopy(found)
    for name in ("outcome", "message", "status", "attempts"):
        swapped[a][name], swapped[b][name] = found[b][name], found[a][name]
    others = [exchanged, found[:a] + found[a + 1 :], [*found, found[a]], [*found[:a], found[b], *found[a + 1 :]]]
    others += [swapped] if swapped != found else []
    for other in others:
        with pytest.raises(ReceiptError):
            verify(line, other)


@given(several, several)
def test_other_results_have_another_receipt(found, others):
    assume(found != others)
    with pytest.raises(ReceiptError):
        verify(made(found), others)


@given(several, texts, texts)
def test_a_new_digest_does_not_hide_an_alteration_of_a_signed_receipt(found, reason, other):
    assume(reason != other)
    document = json.loads(made(found, reason=reason))
    document["job"]["reason"] = other
    body = canonical({name: value for name, value in document.items() if name not in {"digest", "signature"}})
    with pytest.raises(ReceiptError, match="signature"):
        verify(canonical({**document, "digest": sha256(body).hexdigest()}) + b"\n")


@given(st.lists(st.binary(max_size=4), max_size=40, unique=True), st.data())
def test_each_leaf_and_no_other_is_proved_at_its_place(data, draw):
    leaves = [leaf_hash(one) for one in data]
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    root, count = tree.root(), len(leaves)
    assert root == recursive(leaves)
    if not leaves:
        return
    index = draw.draw(st.integers(0, count - 1))
    builder = PathBuilder(index, count)
    for leaf in leaves:
        builder.add(leaf)
    path = builder.path()
    assert root_of(leaves[index], index, count, path) == root
    other = draw.draw(st.integers(-1, count))
    if other != index:
        assert root_of(leaves[index], other, count, path) != root
    assert root_of(leaf_hash(b"other leaf"), index, count, path) != root
    assert root_of(leaves[index], index, count, [*path, EMPTY]) != root
    if path:
        assert root_of(leaves[index], index, count, path[:-1]) != root


def recursive(leaves) -> bytes:
    """The root as RFC 6962 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(recursive(leaves[:half]), recursive(leaves[half:]))


@given(several.filter(lambda found: len(found) > 1))
def test_an_inner_node_is_no_leaf(found):
    """Else two results could be taken for one whose text is their hashes: a second preimage."""
    left, right = (receipt.leaf_of(one) for one in found[:2])
    assert leaf_hash(left + right) != node_hash(left, right)
    shorter = MerkleTree()
    shorter.add(node_hash(left, right))
    for one in found[2:]:
        shorter.add(receipt.leaf_of(one))
    document = json.loads(made(found, signed=False))
    document["results"] |= {"leaves": shorter.count, "root": shorter.root().hex()}
    body = canonical({name: value for name, value in document.items() if name not in {"digest", "signature"}})
    with pytest.raises(ReceiptError, match="do not agree"):
        verify(canonical({**document, "digest": sha256(body).hexdigest()}) + b"\n")


def test_the_roots_are_those_of_the_rfcs_own_example():
    """The tree over the eight leaves that Certificate Transparency's implementations test with."""
    tree = MerkleTree()
    data = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    for one in data:
        tree.add(leaf_hash(bytes.fromhex(one)))
    assert tree.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def chain(length) -> list[receipt.Receipt]:
    found, previous = [], None
    for number in range(1, length + 1):
        found.append(verify(made([], number=number, previous=previous)))
        previous = found[-1].digest
    return found


@given(st.integers(3, 6), st.data())
def test_a_chain_has_no_gap_no_other_link_and_nothing_twice(length, data):
    whole = chain(length)
    assert receipt.check_chain(data.draw(st.permutations(whole))) == whole
    assert receipt.check_chain(whole[1:]) == whole[1:]
    at = data.draw(st.integers(1, length - 2))
    other = verify(made([], number=at + 1, previous=whole[at - 1].digest, reason="another"))
    for broken in (whole[:at] + whole[at + 1 :], [*whole, whole[at]], [*whole[:at], other, *whole[at + 1 :]]):
        with pytest.raises(ReceiptError):
            receipt.check_chain(broken)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-MOST, MOST), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), inner)
    ),
    max_leaves=8,
)


@given(values)
@example('\u2028\x7f\x1f"\\\U0001f600é')
def test_canonical_json_is_read_as_it_was_written_and_in_no_other_form(value):
    text = canonical(value)
    assert parse_canonical(text) == value
    loose = json.dumps(value, indent=1).encode()
    assert parse(loose) == value
    if loose != text:
        with pytest.raises(ValueError, match="canonical form"):
            parse_canonical(loose)


@pytest.mark.parametrize("text", [
    b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"b":1,"a":1}', b'{"a": 1}', b"1.0", b"1e3", b"-0", b"NaN", b"Infinity",
    b"9007199254740993", b'"\\u0041"', b'"\\/"', b'"\\uD800"', b'{"\xc3\xa9":1}', b"\xff", b"\xef\xbb\xbf1", b"1 ", b"",
    b"[" * 100_000, b"1" * 5000, b"01", b'"\t"', b"{'a':1}", b'"\\u001F"',
])  # fmt: skip
def test_what_has_another_form_is_no_canonical_json(text):
    with pytest.raises(ValueError, match=r"it|digits"):
        parse_canonical(text)


def test_the_escapes_are_those_of_the_rfc():
    assert canonical('\b\t\n\f\r"\\\x00\x1f\x7fé/') == '"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f\x7fé/"'.encode()


FOREIGN = (None, True, -1, MOST, "x", "0" * 64, [], [[]], {}, {"a": []})
RESULTS = [
    {
        "job": JOB, "reference": f"EC-{at}", "outcome": "cancelled", "message": None, "status": 200, "state": None,
        "attempts": 1, "at": "2026-11-29T10:00:00.000Z",
    }
    for at in range(3)
]  # fmt: skip


def places(value, so_far=()):
    """The place of each part of a document."""
    yield so_far
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in members:
        yield from places(one, (*so_far, name))


def replaced(document, place, value):
    """The document with another value at a place; its receipt has the digest that fits."""
    whole = {"": copy.deepcopy(document)}
    within = whole
    *way, last = ("", *place)
    for name in way:
        within = within[name]
    within[last] = value
    found = whole[""]
    inner = found.get("receipt", found) if isinstance(found, dict) else None
    if isinstance(inner, dict) and "digest" in inner:
        body = {name: one for name, one in inner.items() if name not in {"digest", "signature"}}
        inner["digest"] = sha256(canonical(body)).hexdigest()
    return canonical(found) + b"\n"


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (made(RESULTS, signed=False), receipt.read),
        (proof_of(RESULTS, 1, signed=False), receipt.read_proof),
        (canonical(RESULTS[0]), lambda line: receipt.parse_result(line, JOB)),
    ],
    ids=["receipt", "proof", "result"],
)
def test_a_member_of_another_type_is_told_and_never_breaks_the_check(line, read):
    document, refused = json.loads(line), 0
    for place in places(document):
        for value in FOREIGN:
            try:
                read(replaced(document, place, value))
            except ReceiptError:
                refused += 1
    assert refused > len(FOREIGN)
