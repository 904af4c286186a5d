"""Reads a document from blocks of bytes to batches of entries, by feed and flush, without I/O."""

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
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, InvalidEntry, RawBatch, classify

HEAD_BYTES: Final = 32 * 1024
"""The bytes by which the encoding is detected."""

HEAD_CHARACTERS: Final = 32 * 1024
"""The characters by which the form and the column are detected; more are used where they hold few lines."""

BLOCK_BYTES: Final = 160 * 1024
"""The bytes that are read at a time after that: about ten thousand references, one a line."""

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
    """Reads one document block by block: `feed` each block, then `flush`. Both give whole batches lazily.

    Blocks are cut to one size, so the batches do not depend on the blocks' sizes, and memory is bounded. A batch has
    about ten thousand entries. After an error the reader cannot be used again.

    Args:
        column: the user's column, if there are no `hints`.
        hints: the user's options.
        pattern: the pattern of references.
        block_bytes: the bytes that are read at a time.
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
        """The document's form; None before it is detected."""
        if isinstance(self._parser, JsonParser):
            return self._parser.form
        return self._layout.form if self._layout else None

    @property
    def packed(self) -> bool:
        """Whether the document is compressed."""
        return bool(self._unpacker.packed)

    @property
    def encoding(self) -> str | None:
        """Python's name of the encoding; None before it is detected."""
        return self._decoder.encoding if self._decoder else None

    @property
    def delimiter(self) -> str | None:
        """The separator of cells; None for other forms than CSV, and before the form is detected."""
        return self._layout.table.delimiter if self.form == "csv" and self._layout else None

    @property
    def column(self) -> str | None:
        """The name of the column or key in use, escaped; None where there is none, and before it is known."""
        name = (self._layout.column if self._layout else None) or (self._parser.column if self._parser else None)
        return None if name is None else plainly(name)

    @property
    def position(self) -> int | None:
        """The number of the column in use, from 1; None for other forms than CSV."""
        return self._layout.table.position + 1 if self.form == "csv" and self._layout else None

    @property
    def swallowed(self) -> int:
        """References in rows inside of a quoted cell. They are not taken."""
        return self._parser.swallowed if self._parser else 0

    @property
    def span(self) -> tuple[int, str] | None:
        """The line of the first such cell, and a message about it."""
        return self._parser.span if self._parser else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Notes for the user, with options named as on the command line."""
        return self.notes(COMMAND_LINE)

    def notes(self, names: OptionNames) -> tuple[str, ...]:
        """Notes for the user, with options named like this."""
        of_layout = self._layout.notes if self._layout else ()
        of_encoding = self._decoder.warning if self._decoder else ""
        of_others = self._rivals.note(self.column or f"column {self.position}")
        found = (of_encoding, *of_layout, *(self._parser.notes if self._parser else ()), of_others)
        return tuple(named(note, names) for note in found if note)

    def feed(self, block: bytes) -> Iterator[RawBatch]:
        """Takes the next block, of any length; yields the batches that are whole.

        Raises:
            InputError: the document cannot be read in any of the forms.
        """
        for piece in self._unpacker.feed(block):
            yield from self._cut(piece)

    def flush(self) -> Iterator[RawBatch]:
        """Ends the document; yields the batches that are left.

        Raises:
            InputError: the document is incomplete, or cannot be read in any of the forms.
        """
        for piece in self._unpacker.feed(b"", final=True):
            yield from self._cut(piece)
        piece = bytes(self._held)
        self._held.clear()
        yield from self._read(piece, final=True)

    def examine(self, raw: RawBatch, invalid: Sequence[InvalidEntry]) -> None:
        """Checks the last batch and its malformed entries. It must be called before the next batch is taken.

        Raises:
            InputError: an entry shows that references around it may not be meant.
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
        """Detects the form once there is enough text; returns the text to parse."""
        layout: Layout | None = None
        while layout is None and (final or len(self._text) >= self._head_characters):
            size = self._head_characters
            # Very long first records end the search for more: the parser then says which is too long.
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
    """A reader with its blocks. It can be iterated over once, and yields the batches."""

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
    """Reads a document from blocks of bytes; nothing is read before the iteration.

    The iteration raises InputError where the document cannot be read in any of the forms. A document without entries
    yields no batch.
    """
    return Document(blocks, column=column, pattern=pattern, hints=hints)


def listed(text: str, pattern: ReferencePattern) -> list[RawBatch]:
    """The entries of a text that is JSON or one reference a line, but no table.

    Words above the references are a malformed entry here, since only tables have headers.

    Raises:
        InputError: the text is malformed, or it is not clear what is meant.
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
