"""The evidence journal: survives what happens to files, and never stops a backup."""

import stat
from pathlib import Path

import pytest

from formats.segment import Evidence
from tapekit import evidence
from tapekit.evidence import Evidences
from tapekit.model import Rung

CARTRIDGE, ARCHIVE = "c" * 32, "a" * 32


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(f"2026-11-23T21:30:{second:02d}Z" for second in range(60))
    monkeypatch.setattr(evidence, "now_text", lambda: next(times))


def test_the_highest_rung_counts_with_its_newest_date(tmp_path: Path) -> None:
    journal = Evidences(tmp_path)
    assert journal.highest(CARTRIDGE, ARCHIVE) is None
    for rung in (Rung.WRITTEN, Rung.READ_BACK, Rung.COMPARED, Rung.READ_BACK):
        journal.note(CARTRIDGE, ARCHIVE, rung)
    assert journal.highest(CARTRIDGE, ARCHIVE) == Evidence(Rung.COMPARED.words, "2026-11-23T21:30:02Z")
    journal.note(CARTRIDGE, ARCHIVE, Rung.COMPARED)
    again = Evidences(tmp_path)
    assert again.highest(CARTRIDGE, ARCHIVE) == Evidence(Rung.COMPARED.words, "2026-11-23T21:30:04Z")
    assert again.highest("d" * 32, ARCHIVE) is None


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    journal = Evidences(tmp_path)
    journal.note(CARTRIDGE, ARCHIVE, Rung.READ_BACK)
    path = tmp_path / "evidence.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b'{"cartridge": "\xff\n[1]\nnull\n{"rung": []}\n' + whole + whole[: len(whole) // 2])
    assert Evidences(tmp_path).highest(CARTRIDGE, ARCHIVE) == Evidence(Rung.READ_BACK.words, "2026-11-23T21:30:00Z")


def test_a_line_behind_a_torn_one_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(b'{"cartridge": "c')
    Evidences(tmp_path).note(CARTRIDGE, ARCHIVE, Rung.READ_BACK)
    assert Evidences(tmp_path).highest(CARTRIDGE, ARCHIVE) is not None


def test_a_journal_that_cannot_be_written_is_a_problem_not_an_error(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where the directory should be")
    journal = Evidences(blocked)
    journal.note(CARTRIDGE, ARCHIVE, Rung.WRITTEN)
    assert "evidence.jsonl" in journal.problem
    assert journal.highest(CARTRIDGE, ARCHIVE) is not None


def test_nobody_else_looks_into_the_state(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    journal = Evidences(there / "a/b")
    journal.note("c" * 32, "a" * 32, Rung.READ_BACK)
    modes = [stat.S_IMODE((there / path).stat().st_mode) for path in (".", "a", "a/b")]
    assert modes == [0o755, 0o700, 0o700]
