import dataclasses
import os
from datetime import UTC
from pathlib import Path

from tapekit.report.log import is_journal, lines
from tapekit.report.night import Note, Outcome
from tests.report import nights


def test_each_outcome_has_its_priority() -> None:
    first = {report.outcome: next(lines(report, "en", with_priority=True, zone=UTC))[:3] for report in nights.EVERY}
    assert first == {
        Outcome.CLEAN: "<6>",
        Outcome.WARNINGS: "<4>",
        Outcome.SPOOLED: "<3>",
        Outcome.FAILED: "<3>",
    }


def test_what_is_wrong_stands_in_lines_of_its_own() -> None:
    night, problem = lines(nights.FAILED, "en", with_priority=True, zone=UTC)
    assert night == "<3>nightly: Not saved: the drive rdx did not do its work. Put WED-1 in tomorrow."
    assert problem.startswith("<3>the drive rdx did not do its work (rdx: no answer): see that it is switched on")


def test_no_name_makes_a_line_or_a_priority() -> None:
    hostile = Note("drive", {"drive": "x\n<0>gone"}, "y\n<0>gone")
    report = dataclasses.replace(nights.FAILED, job="j\n<0>", problems=(hostile,))
    assert not [text for text in lines(report, "en", with_priority=False, zone=UTC) if "\n" in text]


def test_the_journal_is_known_by_its_variable(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w") as output:
        about = os.fstat(output.fileno())
        assert is_journal({"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}, output.fileno())
        assert not is_journal({}, output.fileno())
        assert not is_journal({"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino + 1}"}, output.fileno())
