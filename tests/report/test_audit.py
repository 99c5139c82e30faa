"""The audit log on paper: every event, in both languages, over as many pages as it takes."""

import dataclasses

import pypdfium2  # type: ignore[import-untyped]
import pytest

from formats.audit import NO_LINE, AuditLine
from tapekit.audit.events import Event
from tapekit.report.audit import TEXTS, Cover, audit_pdf

LINE = AuditLine(
    1, 7, "2026-11-25T04:00:00Z", "wrote", "Lyon", "server", "marie", NO_LINE, "", "MON-1", "", "ab" * 16, "nightly",
    "", "complete", "<b>not bold</b> & \x1b[31m",
)  # fmt: skip


def text(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "".join(page.get_textpage().get_text_range() for page in document)


@pytest.mark.parametrize(("language", "word"), (("en", "wrote"), ("fr", "écrit")))
def test_every_event(language: str, word: str) -> None:
    events = [dataclasses.replace(LINE, sequence=number, cartridge=f"C-{number:03}") for number in range(1, 121)]
    pdf = audit_pdf(events, Cover("Pharmacie", 2026, 0, "d" * 64, language))
    found = text(pdf)
    assert len(pypdfium2.PdfDocument(pdf)) > 1
    assert all(f"C-{number:03}" in found for number in range(1, 121))
    assert word in found
    assert "2026" in found
    assert "<b>notbold</b>&\\x1b[31m" in "".join(found.split())


@pytest.mark.parametrize(("faults", "said"), ((0, "Checked:"), (3, "NOT AS IT WAS WRITTEN: the check found 3 faults")))
def test_it_says_whether_the_log_is_whole(faults: int, said: str) -> None:
    assert said in text(audit_pdf([LINE], Cover("", None, faults, "d" * 64)))


def test_no_events() -> None:
    assert "no events" in text(audit_pdf([], Cover("Lyon", 2031, 0, "")))


def test_every_kind_of_event_has_words() -> None:
    assert {event.value for event in Event} <= set(TEXTS)
