"""What the body of an answer says, however it is written."""

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.responses.answer import UNREADABLE
from cancellist.worker.platform.bodies import decode

ITEMS = [{"IsSuccess": False, "Message": "Café 😀 fermé", "Data": "EC-000-05D-1NS", "ApiLinks": None}]
PLAIN = json.dumps(ITEMS, ensure_ascii=False)
UTF_16, UTF_32 = PLAIN.encode("utf-16-le"), PLAIN.encode("utf-32-le")


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (PLAIN.encode(), "application/json"),
        (json.dumps(ITEMS).encode(), "application/json"),
        (PLAIN.encode(), ""),
        (PLAIN.encode(), "text/html"),
        (PLAIN.encode(), "application/json; charset=utf-16"),
        (PLAIN.encode(), "application/json; charset=latin-1-and-more"),
        (PLAIN.encode(), "application/json; charset=rot13"),
        (PLAIN.encode(), "application/json; charset=\0"),
        (PLAIN.encode(), ";;; charset"),
        (codecs.BOM_UTF8 + PLAIN.encode(), "application/json"),
        (codecs.BOM_UTF8 * 2 + PLAIN.encode(), "application/json"),
        (codecs.BOM_UTF16_LE + UTF_16, "application/json"),
        (codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"), "application/json; charset=utf-8"),
        (codecs.BOM_UTF32_LE + UTF_32, "application/json"),
        (UTF_16, "application/json"),
        (PLAIN.encode("utf-16-be"), "application/json; charset=utf-16be"),
        (UTF_32, "application/json"),
        (b" \r\n" + PLAIN.encode() + b"\r\n\0\0 \n", "application/json"),
        (codecs.BOM_UTF8 + b"\r\n" + PLAIN.encode() + b"\0", "application/json"),
    ],
)
def test_one_list_is_read_in_whatever_way_it_is_written(raw: bytes, content_type: str) -> None:
    assert decode(raw, content_type) == ITEMS


@pytest.mark.parametrize("charset", ["iso-8859-1", '"ISO-8859-1"', "'latin1'", "windows-1252", " iso-8859-15 "])
def test_an_encoding_that_is_named_is_the_one_that_is_read(charset: str) -> None:
    raw = '["Café"]'.encode("latin-1")
    assert decode(raw, f"application/json; charset={charset}") == ["Café"]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (rb'["\ud800"]', ["\ufffd"]),
        (rb'["a\udc00b", "\ud83d\ude00", "\ude00\ud83d"]', ["a\ufffdb", "😀", "\ufffd\ufffd"]),
        (rb'[{"\ud800k": {"x": ["\udfff"]}}]', [{"\ufffdk": {"x": ["\ufffd"]}}]),
        (rb'["\\ud800"]', ["\\ud800"]),
        (b'["\xff"]', ["\ufffd"]),
        (b'[{"Data": "EC-1", "Message": "cut \xe2\x82"}]', [{"Data": "EC-1", "Message": "cut \ufffd"}]),
        (b'["\xed\xa0\x80"]', ["\ufffd\ufffd\ufffd"]),
        (b'["line\nline\ttab"]', ["line\nline\ttab"]),
        (b'[NaN, Infinity, 1e999, "\xff"]'.replace(b"NaN, ", b""), [float("inf"), float("inf"), "\ufffd"]),
        (b"[" + b"1" * 4000 + b', "\xff"]', [int("1" * 4000), "\ufffd"]),
        (b'[true, null, 1.5, {}, "\xff"]', [True, None, 1.5, {}, "\ufffd"]),
    ],
)
def test_what_no_text_can_hold_is_replaced_and_the_rest_is_read(raw: bytes, wanted: object) -> None:
    assert decode(raw) == wanted


@pytest.mark.parametrize("raw", [b"", b" ", b"\r\n", b" \t\r\n" * 100])
def test_white_space_alone_is_no_body(raw: bytes) -> None:
    assert decode(raw, "application/json") is None


@pytest.mark.parametrize(
    "raw",
    [
        b"null", b" null ", b"\xef\xbb\xbfnull", b"<html>", b"[", b'["a"', b'["a"] and more', b'["a"][]', b"\0",
        b"\0\0", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_LE + b"\0", b"\x1f\x8b\x08", b"\xff" * 9,
        b"'a'", b"{a: 1}", b"1" * 5000, b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000,
        PLAIN.encode()[:-1], b"[" * 1020 + rb'"\ud800"' + b"]" * 1020,
    ],
)  # fmt: skip
def test_what_is_no_json_is_unreadable_and_never_an_error(raw: bytes) -> None:
    assert decode(raw) is UNREADABLE


@given(st.binary(max_size=200), st.text(max_size=60))
def test_no_body_is_an_error_and_whatever_is_read_can_be_written_again(raw: bytes, content_type: str) -> None:
    for body in (raw, b'["' + raw + b'"]'):
        value = decode(body, content_type)
        if value is not UNREADABLE:
            json.dumps(value, ensure_ascii=False).encode()


@given(st.recursive(st.none() | st.booleans() | st.integers(-999, 999) | st.text(st.characters(codec=None)),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
                    max_leaves=20).filter(lambda value: value is not None))  # fmt: skip
def test_a_value_with_halves_of_surrogates_is_read_with_each_of_them_replaced(value: object) -> None:
    def mended(one):
        match one:
            case str():
                whole = one.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # halves that fit join
                return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in whole)
            case list():
                return [mended(each) for each in one]
            case dict():
                return {mended(key): mended(each) for key, each in one.items()}
        return one

    assert decode(json.dumps(value).encode()) == mended(value)
