"""The way from blocks of bytes to batches of entries, by feed and flush, without I/O."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from cancellist.jobs.option_names import COMMAND_LINE, OptionNames, named
from cancellist.jobs.parsing.documents.columns import plainly
from cancellist.jobs.parsing.documents.csv_records import CsvParser
from cancellist.jobs.parsing.documents.decoding import Decoder
from cancellist.jobs.parsing.documents.foreign_formats import refuse_text
from cancellist.jobs.parsing.documents.format_detection import Form, Layout, sniff
from cancellist.jobs.parsing.documents.headings import Titles, keeps, remark
from cancellist.jobs.parsing.documents.hints import Hints
from cancellist.jobs.parsing.documents.json_reader import JsonParser
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY, LinesParser
from cancellist.jobs.parsing.documents.rivals import Rivals
from cancellist.jobs.parsing.documents.unpacking import Unpacker
from cancellist.jobs.parsing.references import NOISE, InvalidEntry, RawBatch, ReferencePattern, classify

HEAD_BYTES: Final = 32 * 1024
"""What the encoding is judged by."""

HEAD_CHARACTERS: Final = 32 * 1024
"""What the form and the column are judged by, and more of it where there are few lines in it."""

BLOCK_BYTES: Final = 160 * 1024
"""What is read at a time after that: about ten thousand references, one a line."""

_LONGEST_HEAD: Final = 2 * MAX_ENTRY
_GROWTH: Final = 4


class _Parser(Protocol):
    @property
    def swallowed(self) -> int: ...
    @property
    def span(self) -> tuple[int, str] | None: ...
    @property
    def column(self) -> str | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    def parse(self, text: str, *, final: bool) -> list[RawBatch]: ...
    def places(self, row: Any, /) -> Iterable[str]: ...


class Reader:
    """Reads one document, handed in block by block: `feed` each, then `flush`; both give what is whole lazily.

    Blocks are cut anew, so that what comes out is the same however they came in, and memory is bounded: entries come
    in batches of about ten thousand, as soon as they are whole. Once it has raised, it is of no more use.

    Args:
        hints: what the user says of it.
        pattern: what a reference looks like, where the column is to be found.
        block_bytes: how many bytes are read at a time.
    """

    def __init__(
        self,
        *,
        column: str | None = None,
        pattern: ReferencePattern,
        block_bytes: int = BLOCK_BYTES,
        hints: Hints | None = None,
    ) -> None:
        self._hints = hints or Hints(column)
        self._pattern = pattern
        self._block_bytes = block_bytes
        self._head_characters = HEAD_CHARACTERS
        self._unpacker = Unpacker()
        self._held = bytearray()
        self._decoder: Decoder | None = None
        self._to_skip = self._hints.skip_lines
        self._text = ""
        self._layout: Layout | None = None
        self._parser: _Parser | None = None
        self._holds = False
        self._rivals = Rivals(pattern)
        self._titles = Titles(pattern)

    @property
    def form(self) -> Form | None:
        """What kind of document it is; None before enough was fed to tell."""
        if isinstance(self._parser, JsonParser):
            return self._parser.form
        return self._layout.form if self._layout else None

    @property
    def packed(self) -> bool:
        """Whether it is compressed."""
        return bool(self._unpacker.packed)

    @property
    def encoding(self) -> str | None:
        """The name that Python has for its encoding; None as long as `form`."""
        return self._decoder.encoding if self._decoder else None

    @property
    def delimiter(self) -> str | None:
        """What parts the cells; None where it is no table, or as long as `form`."""
        return self._layout.table.delimiter if self.form == "csv" and self._layout else None

    @property
    def column(self) -> str | None:
        """The name of the column or key in use, escaped; None where there is none, or as long as it is not known."""
        name = (self._layout.column if self._layout else None) or (self._parser.column if self._parser else None)
        return None if name is None else plainly(name)

    @property
    def position(self) -> int | None:
        """The number of the column in use, from 1; None where it is no table."""
        return self._layout.table.position + 1 if self.form == "csv" and self._layout else None

    @property
    def swallowed(self) -> int:
        """References in rows that a quoted cell has swallowed, which are not taken."""
        return self._parser.swallowed if self._parser else 0

    @property
    def span(self) -> tuple[int, str] | None:
        """The line of the first such cell, and what is to be said of it."""
        return self._parser.span if self._parser else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, with options named as on the command line."""
        return self.notes(COMMAND_LINE)

    def notes(self, names: OptionNames) -> tuple[str, ...]:
        """What the user should know, with options named like this."""
        of_layout = self._layout.notes if self._layout else ()
        of_encoding = self._decoder.warning if self._decoder else ""
        of_others = self._rivals.note(self.column or f"column {self.position}")
        found = (of_encoding, *of_layout, *(self._parser.notes if self._parser else ()), of_others)
        return tuple(named(note, names) for note in found if note)

    def feed(self, block: bytes) -> Iterator[RawBatch]:
        """Take the next block, of any length, and give the batches that are whole.

        Raises:
            InputError: it cannot be read as any of the forms.
        """
        for piece in self._unpacker.feed(block):
            yield from self._cut(piece)

    def flush(self) -> Iterator[RawBatch]:
        """Give what is left, at the document's end.

        Raises:
            InputError: it breaks off, or cannot be read as any of the forms.
        """
        for piece in self._unpacker.feed(b"", final=True):
            yield from self._cut(piece)
        piece = bytes(self._held)
        self._held.clear()
        yield from self._read(piece, final=True)

    def examine(self, raw: RawBatch, invalid: Sequence[InvalidEntry]) -> None:
        """Look at the batch that came last, and its malformed entries, before the next one is taken.

        Raises:
            InputError: one of them shows that references around it may not be meant.
        """
        if self._parser and self._hints.column is None:
            self._rivals.count(raw, invalid, self._parser.places)
        holds = len(invalid) < len(raw.values) + len(raw.invalid)
        self._holds = self._holds or holds
        alone: list[tuple[int, str]] = []
        if invalid and self._holds and isinstance(self._parser, LinesParser | CsvParser):
            alone = self._parser.examine(raw, invalid)
        elif invalid and self._holds and raw.rows and isinstance(raw.rows[0], str):  # an array of texts
            for entry in filter(lambda entry: keeps(entry.text), invalid):
                raise remark(entry.line, entry.text)
        self._titles.look(raw, alone, holds=holds)

    def _cut(self, piece: bytes) -> Iterator[RawBatch]:
        self._held += piece
        while len(self._held) >= (size := self._block_bytes if self._decoder else HEAD_BYTES):
            part = bytes(self._held[:size])
            del self._held[:size]
            yield from self._read(part, final=False)

    def _read(self, piece: bytes, *, final: bool) -> Iterator[RawBatch]:
        if self._decoder is None:
            self._decoder = Decoder(piece)
        text = self._below(self._decoder.decode(piece, final=final))
        if self._parser is None:
            self._text += text
            text = self._settle(final=final)
            if self._parser is None:
                return
        for batch in self._parser.parse(text, final=final):
            if batch.values or batch.invalid or batch.blank:
                yield batch

    def _below(self, text: str) -> str:
        while self._to_skip and text:
            _, end, text = text.partition("\n")
            self._to_skip -= bool(end)
        return text

    def _settle(self, *, final: bool) -> str:
        """Tell the form once enough is at hand; give the text that is to be parsed."""
        layout: Layout | None = None
        while layout is None and (final or len(self._text) >= self._head_characters):
            size = self._head_characters
            # However long its first records are, they are judged by at last: the parser says which is too long.
            whole = size > _LONGEST_HEAD or (final and len(self._text) <= size)
            layout = sniff(self._text[:size], whole=whole, hints=self._hints, pattern=self._pattern)
            if layout is None:
                self._head_characters *= _GROWTH
        if layout is None:
            return ""
        self._layout = layout
        text, self._text = self._text, ""
        self._parser = self._parser_of(layout)
        return text.split("\n", layout.above)[-1] if text.count("\n") >= layout.above else ""

    def _parser_of(self, layout: Layout) -> _Parser:
        line = self._hints.skip_lines + layout.above + 1
        match layout.form:
            case "csv":
                return CsvParser(layout.table, self._pattern, line)
            case "json" | "jsonl":
                return JsonParser(self._hints.column, self._pattern, line)
            case "lines":
                return LinesParser(self._pattern, line)


class Document(Reader):
    """A reader that has its blocks: to iterate over it, once, gives its batches."""

    def __init__(
        self, blocks: Iterable[bytes], *, column: str | None, pattern: ReferencePattern, hints: Hints | None = None
    ) -> None:
        super().__init__(column=column, pattern=pattern, hints=hints)
        self._blocks = blocks

    def __iter__(self) -> Iterator[RawBatch]:
        for block in self._blocks:
            yield from self.feed(block)
        yield from self.flush()


def read(
    blocks: Iterable[bytes], *, column: str | None = None, pattern: ReferencePattern, hints: Hints | None = None
) -> Document:
    """Read a document from `blocks` of bytes; nothing is read before it is iterated over.

    Iterating raises InputError where it cannot be read as any of the forms; a document without any entry gives none.
    """
    return Document(blocks, column=column, pattern=pattern, hints=hints)


def listed(text: str, pattern: ReferencePattern) -> list[RawBatch]:
    """Give the entries of a text that is JSON, or else one reference a line, but no table; read whole, or refused.

    A header is a table's: words above the references are a malformed entry here.

    Raises:
        InputError: it is malformed, or it cannot be told what is meant.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a\n\t ")
    start = text.lstrip(NOISE)
    refuse_text(start)
    if start.startswith(("[", "{")):
        return _filled(JsonParser(None, pattern).parse(text, final=True))
    lines, titles = LinesParser(pattern), Titles(pattern)
    batches = _filled(lines.parse(text, final=True))
    for raw in batches:
        judged = classify(raw, pattern)
        titles.look(raw, lines.examine(raw, judged.invalid) if judged.valid else (), holds=bool(judged.valid))
    return batches


def _filled(batches: Iterable[RawBatch]) -> list[RawBatch]:
    return [batch for batch in batches if batch.values or batch.invalid or batch.blank]
