"""Says where the documentation has drifted from the program: commands, exit codes, messages, layouts, links, paths."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import construct as cs

from formats import block, catalog, delta, parity, recordlog
from formats.layout import Layout
from tapekit.cli.main import COMMANDS, cli
from tapekit.errors import Exit

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("drivers", "formats", "tapekit")
COMMANDS_PAGE = "docs/commands.md"
MESSAGES_PAGE = "docs/messages.md"
SPEC = "formats/SPEC.md"

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_OUR_PATH = re.compile(r"(?:tapekit|drivers|formats|fixtures|tests|tools|docs|\.ci)/[\w./-]*")


def documents(root: Path = ROOT) -> dict[str, str]:
    """Text of every document by its path."""
    paths = [root / "README.md", root / "CHANGELOG.md", root / SPEC, *sorted((root / "docs").rglob("*.md"))]
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}


# --- the command line ---------------------------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """Long options of every command, without --help; under the empty name those of `tapekit` itself."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {"": cli}
    found |= {name: command for name, _ in COMMANDS if (command := cli.get_command(context, name))}
    return {name: _long_options(command) for name, command in found.items()}


def _long_options(command: click.Command) -> set[str]:
    names = (name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts)
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return {name for name in names if name.startswith("--")}.union(*map(_long_options, below))


def check_commands(page: str, known: Mapping[str, set[str]]) -> Iterator[str]:
    """The section on each command names its options, all of them and no others."""
    sections = dict(re.findall(r"^## `tapekit ([\w-]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for name in sorted(set(sections) - set(known)):
        yield f"`tapekit {name}`: no such command"
    for name, options in known.items():
        if name and name not in sections:
            yield f"`tapekit {name}`: has no section"
            continue
        cells = [row[0] for row in rows(sections[name])] if name else [page]
        documented = {option for cell in cells for option in _OPTION.findall(cell)}
        title = f"`tapekit {name}`" if name else "`tapekit`"
        yield from (f"{title}: option {option} is not documented" for option in sorted(options - documented))
        if name:
            yield from (f"{title}: has no option {option}" for option in sorted(documented - options))


def check_uses(text: str, known: Mapping[str, set[str]]) -> Iterator[str]:
    """Every call of tapekit in code names a command and options that are there."""
    anywhere = set().union(*known.values(), {"--help"})
    code = [line for fence in _FENCE.findall(text) for line in fence.splitlines()]
    for line in code + _CODE.findall(_FENCE.sub("", text)):
        for call in re.findall(r"(?:^|[|$] |; )tapekit ([^|;>]*)", line):
            words = call.split(" #")[0].split()
            name = next((word for word in words if word in known), "")
            if not name and (word := next((w for w in words if re.fullmatch("[a-z][a-z-]+", w)), "")):
                yield f"`tapekit {word}`: no such command"
            allowed = known[name] | known[""] | {"--help"} if name else anywhere
            yield from (f"`{call.strip()}`: no option {o}" for o in _OPTION.findall(call) if o not in allowed)


def check_exit_codes(page: str) -> Iterator[str]:
    """The table of exit codes is the enumeration."""
    section = re.search(r"^## Exit codes\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    table = {(int(row[0]), row[1]) for row in rows(section[1]) if row[0].isdigit()} if section else set()
    program = {(int(code), code.name) for code in Exit}
    yield from (f"exit code {code} {name}: not documented" for code, name in sorted(program - table))
    yield from (f"exit code {code} {name}: the program has none" for code, name in sorted(table - program))


# --- messages -----------------------------------------------------------------------------------------------------


def program_texts(root: Path = ROOT) -> list[str]:
    """Every string in the source, with … where a value is filled in."""
    texts = []
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                    texts.append(node.value if isinstance(node.value, str) else node.value.decode("utf-8", "replace"))
    return texts


def check_messages(page: str, texts: Iterable[str]) -> Iterator[str]:
    """Every message in the table is in the source, its parts in one string and in order."""
    section = re.search(r"^## Messages\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    all_texts = "\n".join(text.replace("\n", " ") for text in texts)
    messages = [_CODE.match(row[0]) for row in rows(section[1])] if section else []
    found = [match[1] for match in messages if match]
    if not found:
        yield "messages: the table is not there"
    for message in found:
        parts = [part.strip(": ") for part in message.split("…") if part.strip(": ")]
        if not re.search(".*".join(map(re.escape, parts)), all_texts):
            yield f"message {message!r}: the program says no such thing"


# --- links and paths ----------------------------------------------------------------------------------------------


def check_links(name: str, texts: Mapping[str, str], root: Path = ROOT) -> Iterator[str]:
    """Every relative link leads to a file, and its #anchor to a heading there."""
    for link in _LINK.findall(_FENCE.sub("", texts[name])):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (root / name).parent / path if path else root / name
        if not target.exists():
            yield f"link {link}: no such file"
        elif anchor and target.suffix == ".md":
            relative = target.resolve().relative_to(root.resolve()).as_posix()
            if anchor not in anchors(texts.get(relative) or target.read_text("utf-8")):
                yield f"link {link}: no such heading"


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_paths(text: str, root: Path = ROOT) -> Iterator[str]:
    """Every path of the project that is named in code is there; NAME stands for any."""
    for code in _CODE.findall(_FENCE.sub("", text)):
        path = code.split()[0]
        if _OUR_PATH.fullmatch(path) and not any(root.glob(path.replace("NAME", "*"))):
            yield f"`{path}`: no such file"


def check_placeholders(text: str) -> Iterator[str]:
    """Nothing stands for what was to be filled in."""
    prose = _CODE.sub("", _FENCE.sub("", text))
    yield from (f"{found}: to be filled in" for found in re.findall(r"@[A-Z]{3,}@|\b(?:TODO|FIXME|TBD)\b", prose))


# --- the specification's tables -----------------------------------------------------------------------------------


def rows(text: str) -> list[tuple[str, ...]]:
    """The rows of the tables in a text, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {number for number, line in enumerate(lines) if re.fullmatch(r"[|\s:-]+", line)}
    body = [line for number, line in enumerate(lines) if not {number, number + 1} & rules]
    return [tuple(cell.strip() for cell in _CELL_BORDER.split(line.strip()[1:-1])) for line in body]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}.*?\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


Field = tuple[str, int]
"""Name and size in bytes."""

_ONE_OF_EACH = {"n": 1, "k": 1, "s": 1, "p": 0, "l": 0}
_CRC = ("crc", 4)
_SAME = {"n": "count", "checksum": "crc"}


def layout_fields(module: ModuleType, name: str) -> list[Field]:
    """The fields of a module's layout of that name; columns with the size of one entry, what has no size with 0."""
    layouts: list[Layout[Any]] = [value for value in vars(module).values() if isinstance(value, Layout)]
    fields = []
    for field in next(layout for layout in reversed(layouts) if layout.name == name).struct.subcons:
        try:
            fields.append((str(field.name), int(field.sizeof(**_ONE_OF_EACH))))
        except cs.SizeofError:
            fields.append((str(field.name), 0))
    return fields


def spec_fields(table: str) -> Iterator[tuple[int | None, Field]]:
    """Offset (None where the table has none), name and size of every row of a table that has a size."""
    has_offset = re.search(r"^\| offset \|", table, re.MULTILINE) is not None
    for row in rows(table):
        offset, size, name = row[:3] if has_offset else ("", *row[:2])
        if re.fullmatch(r"\d*[nk]|\d+", size):
            yield int(offset) if offset else None, (name, int(size.rstrip("nk") or 1))


def check_layout(
    name: str, told: Iterable[tuple[int | None, Field]], fields: Iterable[Field], total: int | None
) -> Iterator[str]:
    """A table of the specification and a definition have the same fields at the same places."""
    place, rows_told = 0, list(told)
    wanted = [field for field in fields if field[1]]
    if len(rows_told) != len(wanted):
        yield f"{name}: {len(rows_told)} fields in the table, {len(wanted)} in the definition"
    for (offset, (title, size)), (field, field_size) in zip(rows_told, wanted, strict=False):
        if not _words(title) & _words(field):
            yield f"{name}: {title!r} in the table, {field!r} in the definition"
        if size != field_size:
            yield f"{name}: {title}: {size} bytes in the table, {field_size} in the definition"
        if offset is not None and offset != place:
            yield f"{name}: {title}: at {offset} in the table, at {place} in the definition"
        place += field_size
    if total is not None and place != total:
        yield f"{name}: {place} bytes in the definition, expected {total}"


def _words(name: str) -> set[str]:
    """The words of a field's name, without plurals and units, so that `path size` is `path_bytes`."""
    words = re.findall(r"[a-z0-9]+", name.lower().replace("_", " "))
    return {_SAME.get(word, word.rstrip("s") or word) for word in words} - {"byte", "n"}


def check_spec(spec: str) -> Iterator[str]:
    """The specification's tables of offsets and sizes agree with the definitions in `formats`."""
    for heading, fields, total in (
        ("3.1 Header", layout_fields(block, "block header"), block.HEADER_BYTES),
        ("13.1 Superblock", [*layout_fields(recordlog, "superblock"), _CRC], recordlog.UNIT_BYTES),
        ("13.2 Record", [*layout_fields(recordlog, "record header"), _CRC], recordlog.HEADER_BYTES),
        ("8. The catalog", layout_fields(catalog, "catalog table"), None),
        ("10. Parity", layout_fields(parity, "parity block"), None),
        ("11.4 The content of a part", layout_fields(delta, "delta map"), None),
    ):
        yield from check_layout(heading, spec_fields(section(spec, heading)), fields, total)
    payload = re.search(r"A filemark's payload: (.*?), n ×", section(spec, "13.2 Record"))
    told = re.findall(r"`(\w+)` \((\d+)[,)]", payload[1]) if payload else []
    head: list[tuple[int | None, Field]] = [(None, (name, int(size))) for name, size in told]
    yield from check_layout("filemark", head, layout_fields(recordlog, "filemark table"), None)


# --- everything ---------------------------------------------------------------------------------------------------


def problems(root: Path = ROOT) -> Iterator[str]:
    """Everything that has drifted, one line each."""
    texts, known = documents(root), commands()
    for name, text in texts.items():
        checks = [check_links(name, texts, root), check_paths(text, root), check_placeholders(text)]
        if name != SPEC:  # which speaks of no program
            checks.append(check_uses(text, known))
        for check in checks:
            yield from (f"{name}: {problem}" for problem in check)
    page = texts[MESSAGES_PAGE]
    yield from (f"{COMMANDS_PAGE}: {problem}" for problem in check_commands(texts[COMMANDS_PAGE], known))
    for check in (check_exit_codes(page), check_messages(page, program_texts(root))):
        yield from (f"{MESSAGES_PAGE}: {problem}" for problem in check)
    yield from (f"{SPEC}: {problem}" for problem in check_spec(texts[SPEC]))


def main() -> int:
    """0 when nothing has drifted; else 1, with one line for each thing that has."""
    found = list(problems())
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
