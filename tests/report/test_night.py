import dataclasses
import json
from datetime import date, timedelta

import pytest

from tapekit.model import Rung
from tapekit.report.night import CartridgeState, History, NightMark, NightReport, Note, Outcome
from tapekit.report.stored import BadReport, from_json, to_json
from tests.report import nights


@pytest.mark.parametrize("report", nights.EVERY, ids=lambda report: report.outcome)
def test_a_report_comes_back_from_json(report: NightReport) -> None:
    assert from_json(to_json(report)) == report


def test_names_that_are_no_text_come_back_from_json() -> None:
    report = dataclasses.replace(nights.CLEAN, warnings=(Note("other", {"name": "caf\udce9\n\x1b[2J"}),))
    assert to_json(report).isascii()
    assert from_json(to_json(report)) == report


def test_a_report_of_another_version_is_read() -> None:
    value = json.loads(to_json(nights.CLEAN))
    del value["nights_left"]
    value["new in the next version"] = 1
    assert from_json(json.dumps(value)) == dataclasses.replace(nights.CLEAN, nights_left=None)


@pytest.mark.parametrize("text", ("", "{}", "[]", '{"site": 1}', "[" * 100_000))
def test_what_is_no_report_is_told(text: str) -> None:
    with pytest.raises(BadReport, match="report: not readable"):
        from_json(text)


def test_only_what_is_true_of_every_cartridge_is_claimed() -> None:
    two = (
        CartridgeState("A", (Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK)),
        CartridgeState("B", (Rung.WRITTEN, Rung.FLUSHED)),
    )
    assert dataclasses.replace(nights.CLEAN, cartridges=two).rung is Rung.FLUSHED
    assert dataclasses.replace(nights.CLEAN, cartridges=()).rung is None


def test_a_clock_that_jumps_back_gives_no_negative_duration() -> None:
    assert dataclasses.replace(nights.CLEAN, ended=nights.BEGUN - timedelta(hours=1)).seconds == 0


def test_the_history_marks_missed_and_closed_days_and_takes_the_best_run_of_a_night() -> None:
    monday = dataclasses.replace(nights.CLEAN, night=date(2026, 11, 20))
    again = dataclasses.replace(nights.FAILED, begun=nights.BEGUN + timedelta(hours=2))
    history = History.of([again, nights.CLEAN, monday], closed=[date(2026, 11, 22)])
    assert history.nights == (
        NightMark(date(2026, 11, 20), Outcome.CLEAN, Rung.COMPARED),
        NightMark(date(2026, 11, 21)),
        NightMark(date(2026, 11, 22), is_closed=True),
        NightMark(date(2026, 11, 23)),
        NightMark(date(2026, 11, 24), Outcome.CLEAN, Rung.COMPARED),
    )
    assert [mark.is_missed for mark in history.nights] == [False, True, False, True, False]
    assert history.sizes[0].points == ((date(2026, 11, 20), 53 * 10**9), (date(2026, 11, 24), 53 * 10**9))
    assert [round(speed) for _, speed in history.throughput] == [31932773, 31932773]


def test_no_report_is_no_history() -> None:
    assert History.of([]) == History()
