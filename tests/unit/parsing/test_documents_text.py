import gzip
import io
import json
import zipfile

import pytest

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import Reader, read
from tests.support.documents import PATTERN, A, B, entries, references, refusal


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("content", [f"{A}\r\n{B}\r\n", f"id,reference\n1,{A}\n2,{B}\n", json.dumps([A, B])])
def test_unicode_is_read_in_any_of_its_encodings(encoding, content):
    assert references(content.encode(encoding)) == [A, B]


def test_a_spreadsheet_from_windows_is_read_as_such_with_a_warning():
    document = read([f"customer,reference\nAndré,{A}\nZoë,{B}\n".encode("cp1252")], pattern=PATTERN)
    assert [value for raw in document for value in raw.values] == [A, B]
    assert document.encoding == "cp1252"
    assert "Windows-1252" in document.warnings[0]


def test_accents_far_down_change_the_encoding_from_there():
    head = "customer,reference\n" + f"Smith,{A}\n" * 20_000
    document = read([head.encode(), f"André,{B}\n".encode("cp1252")], pattern=PATTERN)
    values = [value for raw in document for value in raw.values]
    assert (values[:-1], values[-1]) == ([A] * 20_000, B)
    assert document.encoding == "cp1252"


def test_a_broken_character_in_utf_8_costs_no_other_entry():
    document = read([f"customer,reference\nAndré,{A}\n".encode() + b"Zo\xeb," + B.encode()], pattern=PATTERN)
    assert [value for raw in document for value in raw.values] == [A, B]
    assert document.encoding == "utf-8"
    assert "replaced" in document.warnings[0]


def test_a_reference_with_a_broken_character_is_malformed():
    _, valid, invalid = entries(A.encode() + b"\nEC-000-05D-1N\xff\n")
    assert valid == [(1, A)]
    assert list(invalid) == [2]


def workbook():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return held.getvalue()


def archive():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("references.csv", f"reference\n{A}\n")
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (workbook(), "an Excel workbook (.xlsx), not a list of references: open it in a spreadsheet program"),
        (archive(), "a zip archive, not a list of references: unpack it"),
        (gzip.compress(gzip.compress(A.encode(), mtime=0), mtime=0), "gzip twice"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "Excel workbook"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
        (b"\r\n<!DOCTYPE html><html><body>Sign in", "a web page"),
        (b'<?xml version="1.0"?><a/>', "XML"),
        (b"{\\rtf1\\ansi EC}", "RTF"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00", "not text"),
        (bytes(64), "not text"),
        (bytes(range(1, 32)) * 10, "not text"),
        (f"{A}\n".encode() * 5000 + b"\x00\n", "NUL"),
        (f"{A}\n".encode("utf-16") + b"\x0a", "utf-16-le"),
    ],
)
def test_what_is_not_text_is_refused_by_its_name_with_what_to_do(content, says):
    assert says in refusal(content)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("<!DOCTYPE html>\n<html>", "a web page"),
        ("<!-- saved -->\n<HTML>", "a web page"),
        ("<table><tr><td>", "a web page"),
        ('<html xmlns:x="urn:schemas-microsoft-com:office:excel">', "a spreadsheet saved as XML or as a web page"),
        ('<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>', "a spreadsheet saved as XML"),
        ('<?xml version="1.0"?><a/>', "XML"),
        ("<consignments>\n<reference>", "XML"),
        ("From: a@b\nTo: c@d\nSubject: list\n\n", "a mail"),
        ("MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=x\nX-Mailer: y\n", "a mail"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_markup_and_mails_are_named_in_any_encoding(start, says, encoding):
    assert says in refusal(f"{start}{A}\n".encode(encoding))


@pytest.mark.parametrize(
    "magic",
    [
        b"GIF89a\x01\x00\x01\x00", b"\x89PNG\r\n\x1a\n\x00", b"\xff\xd8\xff\xe0", b"PAR1\x15\x04",
        b"ARROW1\x00\x00", b"ORC\x00\x01", b"SQLite format 3\x00", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00",
        b"{\\rtf1", b"%PDF-1.4", b"BZh9\x17\x72", b"PK\x05\x06", bytes(257) + b"ustar\x00",
    ],
)  # fmt: skip
def test_files_of_other_kinds_are_named(magic):
    assert "not a list of references: " in refusal(magic + b"\x00\x01")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\x1a", "\r\n\x1a", "\n\x1a\x1a\x1a", "\x1a\n", "\r\n\x1a\r\n"])
def test_the_end_of_a_file_of_dos_is_no_entry(encoding, end):
    for content in (f"{A}\n{B}{end}", f"id,reference\n1,{A}\n2,{B}{end}", json.dumps([A, B]) + end):
        _, valid, invalid = entries(content.encode(encoding))
        assert [reference for _, reference in valid] == [A, B]
        assert invalid == {}


def test_what_ends_a_file_of_dos_is_malformed_in_the_middle():
    assert list(entries(f"{A}\n\x1a\n{B}\n")[2]) == [2]


# --- gzip ---


def packed(content, reader=None, size=1000):
    """Return the references of what is fed in pieces, and how many batches' values came at once."""
    reader = reader or Reader(pattern=PATTERN)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    found = [value for piece in pieces for batch in reader.feed(piece) for value in batch.values]
    return found + [value for batch in reader.flush() for value in batch.values]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_gzip_is_read_as_what_is_within(size):
    plain = f"id,reference\n1,{A}\n2,{B}\n".encode()
    for content in (
        gzip.compress(plain),
        gzip.compress(plain[:20]) + gzip.compress(plain[20:]),
        gzip.compress(plain) + bytes(700),
        gzip.compress(b"") + gzip.compress(plain),
        gzip.compress(plain.decode().encode("utf-16")),
    ):
        assert packed(content, size=size) == [A, B]


@pytest.mark.parametrize("size", [1, 100_000])
def test_gzip_that_is_damaged_or_breaks_off_is_refused(size):
    whole = gzip.compress(f"{A}\n{B}\n".encode() * 50)
    wrong = bytearray(whole)
    wrong[-6] ^= 1
    for content, says in (
        (whole[:-3], "the gzip breaks off"),
        (whole[:12], "the gzip breaks off"),
        (whole + b"more", "something follows the gzip"),
        (whole + whole[:5], "the gzip breaks off"),
        (bytes(wrong), "the gzip is damaged"),
        (b"\x1f\x8b\xff" + bytes(20), "the gzip is damaged"),
    ):
        with pytest.raises(InputError, match=says):
            packed(content, size=size)


def test_little_that_becomes_much_comes_piece_by_piece():
    bomb = gzip.compress(f"{A}\n".encode() * 2_000_000)
    reader = Reader(pattern=PATTERN)
    seen = 0
    for batch in reader.feed(bomb):
        assert len(batch.values) < 25_000
        seen += len(batch.values)
    seen += sum(len(batch.values) for batch in reader.flush())
    assert seen == 2_000_000
    with pytest.raises(InputError, match="an entry is longer than"):
        packed(gzip.compress(b"x" * 50_000_000))
