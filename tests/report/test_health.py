"""What drives say, in both languages."""

from drivers.base import Health
from drivers.scsi import alerts
from drivers.tape import state
from formats.scsi import rdx
from tapekit.report import health
from tapekit.report.words import Words

ENGLISH, FRENCH = Words("en"), Words("fr")


def test_every_counter_of_a_driver_has_words() -> None:
    """One that has none would be in no report."""
    assert [name for _, _, name in state.COUNTERS] + [name for _, name in rdx.COUNTERS] == list(health.COUNTERS)


def test_nothing_to_report() -> None:
    assert health.said(Health(), ENGLISH) == "nothing to report"
    assert health.kept("lto", Health(counters={"blocks read": 7})) is None


def test_the_worst_comes_first_and_sense_data_last() -> None:
    told = Health(frozenset((19, 20)), ("it ticks",))
    assert health.warned(told, FRENCH) == [
        "le lecteur doit être nettoyé maintenant", "la cartouche approche de sa fin de vie", "it ticks",
    ]  # fmt: skip


def test_counters_that_are_zero_are_left_out_but_for_lost_data() -> None:
    told = Health(counters={"blocks read": 9, "write errors corrected": 0, "read errors not corrected": 0, "loads": 2})
    assert health.counted(told, ENGLISH) == ["read errors not corrected: 0", "loads: 2"]


def test_information_is_no_warning_of_a_night() -> None:
    kept = health.kept("lto", Health(frozenset((10, 9, 63))))
    assert kept is not None
    assert [(note.values["alert"], note.detail) for note in health.notes(kept)] == [
        ("9", "TapeAlert 9"), ("63", "TapeAlert 63"),
    ]  # fmt: skip
    assert alerts.BY_FLAG[10].severity is alerts.Severity.INFORMATION
