"""The options that say how the files of a job are read: `enqueue` and `plan` share them."""

from typing import Annotated

import typer

from cancellist.cli.arguments import limit
from cancellist.jobs.parsing.documents.hints import parse_delimiter


def column(value: str | None) -> str | None:
    """Returns the name or the number of a column.

    Raises:
        typer.BadParameter: it is empty.
    """
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: give the column's name or number")
    return value


def delimiter(value: str | None) -> str | None:
    """Returns the sign that separates the cells of a CSV file.

    Raises:
        typer.BadParameter: it can be none.
    """
    try:
        return None if value is None else parse_delimiter(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Column = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|NUMBER",
        callback=column,
        help="The CSV column with the references: its name, or its number from 1. For JSON: the path of the key, "
        "such as order.reference.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", callback=delimiter, help="The CSV delimiter: a character, or the word tab."),
]
NoHeader = Annotated[bool, typer.Option("--no-header", help="The CSV file has no header row.")]
SkipLines = Annotated[int, typer.Option(min=0, help="Lines to skip at the beginning of each file.")]
MaxInvalid = Annotated[
    str | None,
    typer.Option(
        metavar="N|P%",
        callback=limit,
        help="Refuse the files if more entries than this are malformed: a number, or a percentage of more than "
        "10 entries. Default: CANCELLIST_MAX_INVALID, which is 10% unless set.",
    ),
]
