"""The project's documents name nothing that is not there: links, headings, files, functions, events, keys, fields."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from cancellist.cli.main import COMMANDS
from cancellist.jobs.ledger.keys import Keys
from cancellist.jobs.ledger.views.json_views import job_view, result_view
from tests.support import ROOT

TOP = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
DOCS = ROOT / "docs"
PAGES = [*TOP, *sorted(DOCS.rglob("*.md"))]
ROOMS = ("api", "bench", "cancellist", "cli", "clients", "config", "docs", "jobs", "sandbox", "tests", "worker")
LUA = ROOT / "jobs/ledger/scripts/lua"

FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})/[\w./*-]*[\w/*]")
SCRIPT = re.compile(r"(?<![\w./-])((?:shared/)?[a-z_]+\.lua)\b")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in HEADING.findall(prose(page))}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The files that a page links to, and the anchors in them."""
    for target in LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = unquote(target).partition("#")
        yield (page.parent / file).resolve() if file else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{named(page)} links to {target}"
        assert target.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(target), f"{named(page)} links to #{anchor} of {named(target)}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_names_files_that_are_there(page: Path) -> None:
    text = prose(page)
    for path in PATH.findall(LINK.sub("]", text)):
        assert list(ROOT.glob(path.rstrip("/"))), f"{named(page)} names {path}"
    for script in SCRIPT.findall(text):
        assert (LUA / script).is_file() or (LUA / "shared" / script).is_file(), f"{named(page)} names {script}"


def test_code_names_pages_that_are_there() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".lua", ".md"}]
    files += [ROOT / name for name in (".env.example", "docker-compose.yml", "Makefile", "pyproject.toml")]
    seen = 0
    for file in files:
        for page in re.findall(r"(?<![\w./-])docs/[\w./-]+\.md\b", file.read_text(encoding="utf-8")):
            seen += 1
            assert (ROOT / page).is_file(), f"{named(file)} names {page}"
    assert seen > 10


def test_every_page_can_be_reached_from_the_map() -> None:
    reached, left = set[Path](), [DOCS / "README.md"]
    while left:
        page = left.pop()
        if page in PAGES and page not in reached:
            reached.add(page)
            left += [target for target, _ in links(page)]
    assert set(PAGES) <= reached


def test_the_first_pages_are_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 130


def defined(file: Path) -> set[str]:
    """The functions, classes and methods of a file, methods also as `Class.method`."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".lua":
        return set(re.findall(r"^(?:local )?function ([\w.]+)\(", text, re.MULTILINE))
    names = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            names |= {node.name}
            names |= {f"{node.name}.{own.name}" for own in node.body if isinstance(own, FUNCTIONS)}
        elif isinstance(node, FUNCTIONS):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NAME = re.compile(r"[A-Za-z_]+(?:\.[a-z_]+)?")


def file_named(path: str) -> Path | None:
    """The file that a span of code names; None where it names none."""
    for folder in (ROOT, LUA, LUA / "shared"):
        if path.endswith((".py", ".lua")) and (folder / path).is_file():
            return folder / path
    return None


def is_name(span: str) -> bool:
    return bool(NAME.fullmatch(span)) and not span.endswith((".py", ".lua"))


def named_pairs(text: str) -> Iterator[tuple[Path, str]]:
    """A file and each name that is said to be in it: `file`, `name` and `name`; `file` (`name`); `name` (`file`)."""
    spans = list(CODE.finditer(text))
    for at, span in enumerate(spans):
        file = file_named(span[1])
        if file is None:
            continue
        end = span.end()
        for after in spans[at + 1 :]:
            if text[end : after.start()] not in {", ", " (", " and "} or not is_name(after[1]):
                break
            yield file, after[1]
            end = after.end()
        if at and text[spans[at - 1].end() : span.start()] == " (" and is_name(spans[at - 1][1]):
            yield file, spans[at - 1][1]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_names_functions_that_are_where_it_says(page: Path) -> None:
    text = " ".join(prose(page).replace("\n|", "\n\n|").split(" ")).replace("\n", " ")
    for file, name in named_pairs(text):
        assert name in defined(file), f"{named(page)}: {name} in {named(file)}"


def test_the_way_of_a_reference_names_many_functions() -> None:
    page = DOCS / "explanation/follow-one-reference.md"
    assert len(set(named_pairs(prose(page).replace("\n", " ")))) > 40


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of a page's tables."""
    for line in prose(page).splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def first_column(page: str) -> set[str]:
    """The spans of code in the first cells of a page's tables."""
    cells = [row[0] for row in rows(DOCS / "reference" / page)]
    return {word for cell in cells for _, word in re.findall(r"(``?) ?(.+?) ?\1", cell)}


def test_each_log_event_that_is_listed_is_one() -> None:
    text = "\n".join(
        file.read_text(encoding="utf-8")
        for room in ("api", "cli/actions", "worker", "config", "jobs/flow")
        for file in (ROOT / room).rglob("*.py")
    )
    events = first_column("log-events.md")
    assert len(events) > 20
    for event in events:
        assert event in text, event


def test_each_warning_of_a_worker_is_listed() -> None:
    page = (DOCS / "reference/log-events.md").read_text(encoding="utf-8")
    for file in (ROOT / "worker").rglob("*.py"):
        for event in re.findall(r'log\.warning\(\s*"([^"]+)"', file.read_text(encoding="utf-8")):
            assert event in page, f"{event} of {named(file)}"


def test_each_fixed_key_is_listed() -> None:
    listed = first_column("redis.md")
    for key in Keys()._of_account("NAME"):
        name = key.decode()
        assert {name, name.removeprefix("cancellist:account:NAME:")} & listed, name


def test_each_command_is_listed() -> None:
    listed = " ".join(first_column("cli.md"))
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", listed), command


@pytest.mark.parametrize("document", [job_view, result_view])
def test_each_field_of_a_document_is_listed(document: object) -> None:
    tree = ast.parse((ROOT / "jobs/ledger/views/json_views.py").read_text(encoding="utf-8"))
    function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == document.__name__)  # type: ignore[attr-defined]
    fields = {
        key.value
        for n in ast.walk(function)
        if isinstance(n, ast.Dict)
        for key in n.keys
        if isinstance(key, ast.Constant)
    }
    assert fields
    assert fields <= first_column("cli.md"), fields - first_column("cli.md")


def test_each_target_of_make_is_listed() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `make ([a-z]+)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(targets)
    assert len(targets) > 8
