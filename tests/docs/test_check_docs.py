"""tools/check_docs.py finds nothing now, and finds each kind of drift when it is made."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tools import check_docs
from tools.check_docs import COMMANDS_PAGE, MESSAGES_PAGE, ROOT, SPEC

PAGE_TEXT = (ROOT / COMMANDS_PAGE).read_text()
MESSAGES_TEXT = (ROOT / MESSAGES_PAGE).read_text()
GUIDE_TEXT = (ROOT / "docs/technician.md").read_text()
SPEC_TEXT = (ROOT / SPEC).read_text()
Check = Callable[[str], Iterable[str]]


def test_nothing_has_drifted() -> None:
    assert list(check_docs.problems()) == []


def page(text: str) -> Iterable[str]:
    return check_docs.check_commands(text, check_docs.commands())


def uses(text: str) -> Iterable[str]:
    return check_docs.check_uses(text, check_docs.commands())


def messages(text: str) -> Iterable[str]:
    return check_docs.check_messages(text, check_docs.program_texts())


@pytest.mark.parametrize(
    ("check", "text", "old", "new", "found"),
    (
        (page, PAGE_TEXT, "| `--pool P` |", "| `--pools P` |", "`tapekit label`: option --pool is not documented"),
        (page, PAGE_TEXT, "| `--pool P` |", "| `--pools P` |", "`tapekit label`: has no option --pools"),
        (page, PAGE_TEXT, "## `tapekit list`\n", "## `tapekit dir`\n", "`tapekit list`: has no section"),
        (page, PAGE_TEXT, "## `tapekit list`\n", "## `tapekit dir`\n", "`tapekit dir`: no such command"),
        (page, PAGE_TEXT, "--version", "--release", "`tapekit`: option --version is not documented"),
        (uses, GUIDE_TEXT, "$ tapekit inspect image", "$ tapekit look image", "`tapekit look`: no such command"),
        (uses, GUIDE_TEXT, "latest --source\n", "latest --sources\n", "no option --sources"),
        (uses, "", "", "`tapekit burn`", "`tapekit burn`: no such command"),
        (check_docs.check_exit_codes, MESSAGES_TEXT, "| 9 | END", "| 10 | END", "exit code 9 END_OF_MEDIUM: not d"),
        (check_docs.check_exit_codes, MESSAGES_TEXT, "| 9 | END", "| 10 | END", "exit code 10 END_OF_MEDIUM: the pro"),
        (check_docs.check_exit_codes, MESSAGES_TEXT, "| BUSY |", "| IN_USE |", "exit code 8 BUSY: not documented"),
        (messages, MESSAGES_TEXT, "`rescue kit: not as", "`rescue kit: other than", "the program says no such thing"),
        (messages, MESSAGES_TEXT, "## Messages", "## Answers", "messages: the table is not there"),
        (check_docs.check_paths, PAGE_TEXT, "`cache/`", "`tools/nothing`", "`tools/nothing`: no such file"),
        (check_docs.check_placeholders, GUIDE_TEXT, "## Limits", "@FIGURES@", "@FIGURES@: to be filled in"),
        (check_docs.check_spec, SPEC_TEXT, "| 96 | 28 | res", "| 96 | 24 | res", "3.1 Header: reserved: 24 bytes"),
        (check_docs.check_spec, SPEC_TEXT, "| 32 | 4 | segment", "| 36 | 4 | segment", "3.1 Header: segment: at 36"),
        (check_docs.check_spec, SPEC_TEXT, "| 64 | 4 | files", "| 64 | 4 | members", "13.1 Superblock: 'members'"),
        (check_docs.check_spec, SPEC_TEXT, "| 48 | 8 | end |", "| 48 | 4 | end |", "13.1 Superblock: end: 4 bytes"),
        (check_docs.check_spec, SPEC_TEXT, "| 4 | 1 | kind | 1 b", "| 4 | 2 | kind | 1 b", "13.2 Record: kind: 2"),
        (check_docs.check_spec, SPEC_TEXT, "`start` (8, pos", "`start` (4, pos", "filemark: start: 4 bytes"),
        (check_docs.check_spec, SPEC_TEXT, "| 8n | inode", "| 4n | inode", "8. The catalog: inode: 4 bytes"),
        (check_docs.check_spec, SPEC_TEXT, "| 12 | 4 | shard", "| 12 | 8 | shard", "10. Parity: shard size: 8"),
        (check_docs.check_spec, SPEC_TEXT, "| 4 | n | extents,", "| 2 | n | extents,", "of a part: n: 2 bytes"),
        (check_docs.check_spec, SPEC_TEXT, "| 4n | gid | |\n", "", "8. The catalog: 24 fields in the table, 25"),
    ),
)  # fmt: skip
def test_drift_is_found(check: Check, text: str, old: str, new: str, found: str) -> None:
    assert old in text
    assert not list(check(text))
    drifted = list(check(text.replace(old, new, 1)))
    assert any(found in problem for problem in drifted), drifted


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/b.md").write_text("# One heading, `two` words\n")
    texts = {"a.md": "", "docs/b.md": (tmp_path / "docs/b.md").read_text()}
    for link in ("docs/b.md", "docs", "docs/b.md#one-heading-two-words", "https://example.org/x"):
        texts["a.md"] = f"[x]({link})"
        assert list(check_docs.check_links("a.md", texts, tmp_path)) == []
    for link, why in (("docs/c.md", "no such file"), ("docs/b.md#other", "no such heading")):
        texts["a.md"] = f"[x]({link})"
        assert list(check_docs.check_links("a.md", texts, tmp_path)) == [f"link {link}: {why}"]


def test_a_command_says_that_it_found_something(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_docs.main() == 0
    monkeypatch.setattr(check_docs, "problems", lambda: iter(["a.md: gone"]))
    assert check_docs.main() == 1
