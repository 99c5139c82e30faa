"""The examples in the documentation do what the documentation says."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.docs.transcript import ROOT, Shell, Step, files, needs, steps

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_EXAMPLES = [path for path in DOCUMENTS if any(steps(path.read_text()))]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    assert shutil.which("tapekit", path=str(Path(sys.executable).parent)), "tapekit is not installed: tools/environment"
    return Shell(tmp_path)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.name)
def test_examples(path: Path, shell: Shell) -> None:
    document = path.read_text()
    if missing := [program for program in needs(document) if not shutil.which(program)]:
        pytest.skip(f"needs {', '.join(missing)}")
    for name, content in files(document).items():
        (shell.directory / name).write_text(content)
    transcript = list(steps(document))
    following = [step.command for step in transcript[1:]] + [""]
    results = shell.run([step.command for step in transcript])
    for step, (output, status), next_command in zip(transcript, results, following, strict=True):
        assert step.matches(output), f"$ {step.command}\n{output}\nexpected:\n" + "\n".join(step.expected)
        assert status == 0 or next_command == "echo $?", f"$ {step.command}\n{output}exit status {status}"


def test_the_guides_have_examples() -> None:
    assert {path.name for path in WITH_EXAMPLES} >= {"README.md", "technician.md", "technicien.md", "recovery.md"}


def test_a_session_goes_on_from_command_to_command(shell: Shell) -> None:
    results = shell.run(["cd office && word=hello", "echo $word; pwd; ls nothing", "echo $?", "cat <<END\na\nb\nEND"])
    assert [status for _, status in results] == [0, 2, 0, 0]
    assert results[1][0].startswith(f"hello\n{shell.directory}/office\nls: ")
    assert results[2][0] == "2\n"
    assert results[3][0] == "a\nb\n"


def test_a_document_is_taken_apart() -> None:
    document = (
        "<!-- needs: a b -->\n```console\n$ one\nprinted\n\n$ two \\\n> three\n```\n```sh\n$ none\n```\n"
        "```toml t.toml\nx = 1\n```\n```console\n$ four\n```\n"
    )
    assert list(steps(document)) == [Step("one", ("printed", "")), Step("two \\\nthree", ()), Step("four", ())]
    assert files(document) == {"t.toml": "x = 1\n"}
    assert needs(document) == ["a", "b"]


@pytest.mark.parametrize(
    ("expected", "output"),
    (
        (("a …, c",), "a b, c\n"),
        (("a", "…", "c"), "a\nb\nb\nc\n"),
        (("a", "…"), "a\n"),
        ((), ""),
    ),
)
def test_what_matches(expected: tuple[str, ...], output: str) -> None:
    assert Step("x", expected).matches(output)


@pytest.mark.parametrize(
    ("expected", "output"),
    (
        (("a …, c",), "a b\n, c\n"),
        (("a.c",), "abc\n"),
        (("a",), "a\nb\n"),
        (("a", "b"), "a\n"),
        ((), "a\n"),
    ),
)
def test_what_does_not_match(expected: tuple[str, ...], output: str) -> None:
    assert not Step("x", expected).matches(output)
