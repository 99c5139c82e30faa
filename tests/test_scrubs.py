"""The rule by which a cartridge is retired, and the journal that it goes by."""

import dataclasses
from pathlib import Path

import pytest

from tapekit.scrubs import Advice, Scrub, Scrubs, advised


def scrub(corrected: int = 0, lost: int = 0, cartridge: str = "a" * 32) -> Scrub:
    return Scrub("2026-11-25T10:00:00Z", cartridge, "WED-1", "image:c", "", 10_000, corrected, lost, 10**9, 5.0, 0, 0)


@pytest.mark.parametrize(
    ("corrected", "lost", "advice"),
    (
        ((0,), 0, Advice.GOOD),
        ((3,), 0, Advice.WATCH),
        ((9, 0), 0, Advice.GOOD),
        ((0,), 1, Advice.RETIRE),
        ((9,), 0, Advice.WATCH),
        ((10,), 0, Advice.RETIRE),
        ((1, 2), 0, Advice.WATCH),
        ((0, 1, 2), 0, Advice.RETIRE),
        ((3, 2, 3), 0, Advice.WATCH),
        ((2, 2, 3), 0, Advice.WATCH),
        ((5, 1, 2, 3), 0, Advice.RETIRE),
    ),
)
def test_rule(corrected: tuple[int, ...], lost: int, advice: Advice) -> None:
    assert advised([scrub(count, lost) for count in corrected]).advice is advice


def test_few_blocks_are_no_share() -> None:
    """Of a cartridge with little on it."""
    for corrected, advice in ((2, Advice.WATCH), (3, Advice.RETIRE)):
        assert advised([dataclasses.replace(scrub(corrected), blocks=69)]).advice is advice


def test_journal(tmp_path: Path) -> None:
    scrubs = Scrubs(tmp_path / "state")
    assert scrubs.advice("a" * 32) is None
    for one in (scrub(1), scrub(2, cartridge="b" * 32), scrub(4)):
        scrubs.note(one)
    with (tmp_path / "state" / "scrubs.jsonl").open("a") as journal:
        journal.write('{"at": "torn')
    scrubs.note(scrub(7))
    again = Scrubs(tmp_path / "state")
    assert again.of("a" * 32) == [scrub(1), scrub(4), scrub(7)]
    advice = again.advice("a" * 32)
    assert advice is not None
    assert advice.advice is Advice.RETIRE
    assert not again.problem


def test_a_journal_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scrubs = Scrubs(tmp_path / "file")
    scrubs.note(scrub())
    assert "scrubs.jsonl" in scrubs.problem
