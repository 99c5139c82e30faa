import dataclasses
from datetime import UTC

import pytest

from tapekit.report.line import line
from tapekit.report.night import CartridgeState, NightReport, Note, Outcome, SourceSize, Step, Timing
from tapekit.report.text import SUBJECT_LETTERS, subject, text
from tests.report import nights

HOSTILE = "<b>x</b>\n\x1b[2J\u202e\r\nBcc: all@example.com\udce9"


@pytest.mark.parametrize("language", ("en", "fr"))
@pytest.mark.parametrize("report", nights.EVERY, ids=lambda report: report.outcome)
def test_the_line_and_every_note_stand_in_the_text(report: NightReport, language: str) -> None:
    said = text(report, language, UTC)
    assert line(report, language, UTC) in said.split("\n")
    assert said.count("  - ") == len(report.problems) + len(report.warnings)
    assert ("WED-1" in said) == bool(report.next_cartridges)


def test_what_was_overwritten_is_told_with_its_loss() -> None:
    said = text(nights.WARNINGS, "en", UTC)
    assert "on TUE-1: 1 to 9 March 2026 (nightly); lost, the only copy of 3 to 9 March 2026 (nightly)" in said
    assert "(nightly) ; seule copie, perdue : les nuits du 3 au 9 mars 2026 (nightly)" in text(
        nights.WARNINGS, "fr", UTC
    ).replace("\xa0", " ")


def test_a_tape_that_stopped_is_told_with_what_it_needs() -> None:
    stopped = Timing(Step.WRITE, 200, 20 * 10**9, 8, 100 * 10**6, 177 * 10**6)
    report = dataclasses.replace(nights.CLEAN, timings=(stopped,))
    told = "stops of the drive: 8; the source delivers 100.0 MB/s, the drive needs 177.0 MB/s"
    assert told in text(report, "en", UTC).replace("\xa0", " ")
    assert "arrêts du lecteur : 8 ; la source donne" in text(report, "fr", UTC).replace("\xa0", " ").replace(
        "\u202f", " "
    )
    unmeasured = dataclasses.replace(report, timings=(dataclasses.replace(stopped, stops=1, source_bytes_s=0),))
    told = text(unmeasured, "en", UTC).replace("\xa0", " ")
    assert "stops of the drive: 1; the drive needs 177.0 MB/s" in told
    assert "arrêts du lecteur : 1 ; il lui faut" in text(unmeasured, "fr", UTC).replace("\xa0", " ").replace(
        "\u202f", " "
    )
    assert "stops" not in text(nights.CLEAN, "en", UTC)


def test_the_subject_begins_with_the_outcome() -> None:
    marks = {report.outcome: subject(report, "en", UTC).split("]")[0] for report in nights.EVERY}
    assert marks == {
        Outcome.CLEAN: "[OK",
        Outcome.WARNINGS: "[WARNING",
        Outcome.SPOOLED: "[ON THE SERVER ONLY",
        Outcome.FAILED: "[FAILED",
    }
    assert subject(nights.CLEAN, "fr", UTC).replace("\xa0", " ") == (
        "[OK] Pharmacie du Port, nightly, 2026-11-24 : Sauvegarde faite, relue, comparée. Mettez WED-1 demain."
    )


def test_hostile_names_end_no_line_and_move_no_cursor() -> None:
    report = dataclasses.replace(
        nights.WARNINGS,
        site=HOSTILE,
        job=HOSTILE,
        host=HOSTILE,
        spool=HOSTILE,
        warnings=(Note("files-changed", {"count": "1", "first": HOSTILE}, HOSTILE), Note(HOSTILE)),
        cartridges=(CartridgeState(HOSTILE),),
        sizes=(SourceSize(HOSTILE, 1),),
        next_cartridges=(HOSTILE,),
    )
    said = text(report, "en", UTC)
    said.encode()
    assert not any(part.startswith(("Bcc", "\x1b")) for part in said.split("\n"))
    assert all(part.replace("\xa0", " ").isprintable() for part in said.split("\n"))
    assert subject(report, "en", UTC).replace("\xa0", " ").isprintable()
    assert len(subject(report, "en", UTC)) <= SUBJECT_LETTERS


def test_what_is_not_encrypted_says_so() -> None:
    assert "whoever holds the cartridge" in text(nights.CLEAN, "en", UTC)
    assert "whoever" not in text(dataclasses.replace(nights.CLEAN, is_readable_by_anyone=False), "en", UTC)
