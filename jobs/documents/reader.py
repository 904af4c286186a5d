"""The way from blocks of bytes to batches of entries, by feed and flush, without I/O."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from jobs.documents.decoding import Decoder
from jobs.documents.json_values import Extract, JsonArrayParser, JsonLinesParser
from jobs.documents.lines import LinesParser
from jobs.documents.sniffing import Form, Layout, sniff
from jobs.documents.tables import CsvParser
from jobs.references import RawBatch, ReferencePattern

HEAD_BYTES: Final = 32 * 1024
"""What the form, the encoding and the column are judged by."""

BLOCK_BYTES: Final = 160 * 1024
"""What is read at a time after that: about ten thousand references, one a line."""


class _Parser(Protocol):
    def parse(self, text: str, *, final: bool) -> list[RawBatch]: ...


class Reader:
    """Reads one document, handed in block by block: `feed` each, then `flush`.

    Blocks are cut anew, so that what comes out is the same however they came in, and memory is bounded: entries come
    in batches of about ten thousand, as soon as they are whole. Once it has raised, it is of no more use.

    Args:
        column: the column of CSV, or the key of JSON objects, that holds the references; None to find it.
        pattern: what a reference looks like, where the column is to be found.
        block_bytes: how many bytes are read at a time.
    """

    def __init__(self, *, column: str | None = None, pattern: ReferencePattern, block_bytes: int = BLOCK_BYTES) -> None:
        self._column = column
        self._pattern = pattern
        self._block_bytes = block_bytes
        self._held = bytearray()
        self._extract = Extract(column, pattern)
        self._decoder: Decoder | None = None
        self._layout: Layout | None = None
        self._parser: _Parser | None = None

    @property
    def form(self) -> Form | None:
        """What kind of document it is; None before the first 32 KiB were fed, or all."""
        return self._layout.form if self._layout else None

    @property
    def encoding(self) -> str | None:
        """The name that Python has for its encoding; None as long as `form`."""
        return self._decoder.encoding if self._decoder else None

    @property
    def column(self) -> str | None:
        """The name of the column or key in use; None where there is none, or as long as it is not known."""
        return (self._layout.column if self._layout else None) or self._extract.key

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        of_layout = self._layout.warning if self._layout else ""
        of_encoding = self._decoder.warning if self._decoder else ""
        return tuple(filter(None, (of_encoding, of_layout)))

    def feed(self, block: bytes) -> list[RawBatch]:
        """Take the next block, of any length, and give the batches that are whole.

        Raises:
            InputError: it cannot be read as any of the forms.
        """
        self._held += block
        batches: list[RawBatch] = []
        while len(self._held) >= (size := self._block_bytes if self._parser else HEAD_BYTES):
            piece = bytes(self._held[:size])
            del self._held[:size]
            batches += self._read(piece, final=False)
        return batches

    def flush(self) -> list[RawBatch]:
        """Give what is left, at the document's end.

        Raises:
            InputError: it breaks off, or cannot be read as any of the forms.
        """
        piece = bytes(self._held)
        self._held.clear()
        return self._read(piece, final=True)

    def _read(self, piece: bytes, *, final: bool) -> list[RawBatch]:
        if self._decoder is None:
            self._decoder = Decoder(piece)
        text = self._decoder.decode(piece, final=final)
        if self._parser is None:
            # The last line may be cut off, unless it is the only one.
            head = text if final else text[: text.rfind("\n") + 1] or text
            self._layout = sniff(head, column=self._column, pattern=self._pattern)
            self._parser = self._parser_of(self._layout)
        return [batch for batch in self._parser.parse(text, final=final) if batch.values or batch.invalid]

    def _parser_of(self, layout: Layout) -> _Parser:
        match layout.form:
            case "csv":
                return CsvParser(layout.delimiter, layout.position, layout.skip)
            case "json":
                return JsonArrayParser(self._extract)
            case "jsonl":
                return JsonLinesParser(self._extract)
            case "lines":
                return LinesParser()


class Document(Reader):
    """A reader that has its blocks: to iterate over it, once, gives its batches."""

    def __init__(self, blocks: Iterable[bytes], *, column: str | None, pattern: ReferencePattern) -> None:
        super().__init__(column=column, pattern=pattern)
        self._blocks = blocks

    def __iter__(self) -> Iterator[RawBatch]:
        for block in self._blocks:
            yield from self.feed(block)
        yield from self.flush()


def read(blocks: Iterable[bytes], *, column: str | None = None, pattern: ReferencePattern) -> Document:
    """Read a document from `blocks` of bytes; nothing is read before it is iterated over.

    Iterating raises InputError where it cannot be read as any of the forms; a document without any entry gives none.
    """
    return Document(blocks, column=column, pattern=pattern)
