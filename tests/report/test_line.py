import dataclasses
import itertools
from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pytest

from tapekit.model import Rung
from tapekit.report.line import line
from tapekit.report.night import CartridgeState, NightReport, Note, Outcome
from tapekit.report.notes import note
from tests.report import nights

LINES = (
    (nights.CLEAN, "Saved, read back, compared.", "Sauvegarde faite, relue, comparée."),
    (
        nights.WARNINGS,
        (
            "Saved, read back, compared, but: files that changed while they were saved: 3, "
            "the first: srv/pharmacy/log.txt."
        ),
        (
            "Sauvegarde faite, relue, comparée, mais : fichiers modifiés pendant la sauvegarde : 3, "
            "dont srv/pharmacy/log.txt."
        ),
    ),
    (
        nights.SPOOLED,
        "On no cartridge yet, only on the server's own disk: no cartridge was in; TUE-1 was due.",
        "Pas encore sur une cartouche, seulement sur le disque du serveur : pas de cartouche ; TUE-1 était prévue.",
    ),
    (
        nights.FAILED,
        "Not saved: the drive rdx did not do its work.",
        "Pas de sauvegarde : le lecteur rdx n’a pas fonctionné.",
    ),
)


@pytest.mark.parametrize(("report", "english", "french"), LINES, ids=[str(row[0].outcome) for row in LINES])
def test_the_line_of_every_outcome(report: NightReport, english: str, french: str) -> None:
    assert line(report, "en", UTC) == f"{english} Put WED-1 in tomorrow."
    assert line(report, "fr", UTC).replace("\xa0", " ") == f"{french} Mettez WED-1 demain."


def test_the_line_never_claims_more_than_the_evidence() -> None:
    """Every set of rungs, every outcome: a claim stands there exactly when its rung was reached."""
    claims = {"read back": Rung.READ_BACK, "compared": Rung.COMPARED, "sample restored": Rung.SAMPLE_RESTORED}
    sets = itertools.chain.from_iterable(itertools.combinations(Rung, count) for count in range(len(Rung) + 1))
    for rungs, outcome in itertools.product(sets, Outcome):
        report = dataclasses.replace(nights.CLEAN, outcome=outcome, cartridges=(CartridgeState("TUE-1", rungs),))
        said = line(report, "en", UTC)
        is_on_cartridge = outcome in (Outcome.CLEAN, Outcome.WARNINGS)
        for words, rung in claims.items():
            assert (f", {words}" in said) == (is_on_cartridge and rung in rungs), (said, rungs)
        assert ("not read back" in said) == (is_on_cartridge and Rung.READ_BACK not in rungs)


@pytest.mark.parametrize(
    ("night", "hours", "english", "french"),
    (
        (date(2026, 11, 25), 0, "in tomorrow.", "demain."),
        (date(2026, 11, 25), 5, "in today.", "aujourd’hui."),
        (date(2026, 11, 30), 0, "in on Monday 30 November.", "lundi 30 novembre."),
        (date(2026, 12, 1), 0, "in on Tuesday 1 December.", "mardi 1er décembre."),
        (date(2027, 1, 4), 0, "in on Monday 4 January 2027.", "lundi 4 janvier 2027."),
    ),
)
def test_when_the_next_cartridge_goes_in(night: date, hours: int, english: str, french: str) -> None:
    ended = nights.CLEAN.ended + timedelta(hours=hours)
    report = dataclasses.replace(nights.CLEAN, next_night=night, ended=ended)
    assert line(report, "en", UTC).endswith(f"Put WED-1 {english}")
    assert line(report, "fr", UTC).endswith(f"Mettez WED-1 {french}")


def test_tomorrow_is_counted_where_the_site_is() -> None:
    """22:17 in UTC is after midnight in Paris in summer."""
    report = dataclasses.replace(nights.CLEAN, ended=nights.CLEAN.ended + timedelta(hours=1))
    assert line(report, "en", UTC).endswith("tomorrow.")
    assert line(report, "en", ZoneInfo("Europe/Paris")).endswith("today.")


def test_a_night_on_the_server_is_not_told_twice() -> None:
    report = dataclasses.replace(nights.SPOOLED, problems=(), warnings=(Note("spooled"), *nights.SPOOLED.problems))
    assert line(report, "en", UTC) == line(nights.SPOOLED, "en", UTC)


def test_several_notes_and_cartridges() -> None:
    report = dataclasses.replace(
        nights.SPOOLED, warnings=(note("clock", now="1", last="2"),), next_cartridges=("A", "B", "C")
    )
    assert line(report, "en", UTC) == (
        "On no cartridge yet, only on the server's own disk: no cartridge was in; TUE-1 was due (and 1 more). "
        "Put A, B and C in tomorrow."
    )


def test_a_line_stays_a_line() -> None:
    hostile = Note("no-cartridge", {"due": "TUE\n\x1b[2J\u202e{0}"})
    report = dataclasses.replace(nights.FAILED, problems=(hostile,), next_cartridges=("WED\r\nBcc: x",))
    assert line(report, "en", UTC).isprintable()
    assert "{0}" in line(report, "en", UTC)
