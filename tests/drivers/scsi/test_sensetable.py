"""The table of what sense data means holds together."""

import pytest

from drivers.errors import DeviceFailure, DriveError, EndOfMedium, MediumError, NoMedium
from drivers.scsi import alerts
from drivers.scsi.generations import GENERATIONS, media_of, of_model
from drivers.scsi.sensetable import ROWS, Row, Way, row_of
from formats.scsi.sense import Key, Sense


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_no_row_is_hidden_behind_another(row: Row) -> None:
    """Where a row is about any key or qualifier, with one that no other row names."""
    any_key = Key.NO_SENSE if row.way in (Way.GO_ON, Way.MARK) else Key.ILLEGAL_REQUEST
    sense = Sense(any_key if row.key is None else row.key, row.asc, 0x7F if row.ascq is None else row.ascq)
    assert row_of(sense) is row


@pytest.mark.parametrize("key", tuple(Key))
def test_codes_that_no_row_has_are_judged_by_their_key(key: Key) -> None:
    row = row_of(Sense(key, 0x99, 0x99))
    assert issubclass(row.error, DriveError)
    assert (row.way is Way.GO_ON) == (key in {Key.NO_SENSE, Key.RECOVERED_ERROR})


def test_some_that_every_storage_engineer_knows() -> None:
    assert row_of(Sense(Key.MEDIUM_ERROR, 0x11, 0x01)).error is MediumError
    assert row_of(Sense(Key.NOT_READY, 0x3A, 0x02)).error is NoMedium
    assert row_of(Sense(Key.VOLUME_OVERFLOW, 0x00, 0x02)).error is EndOfMedium
    assert row_of(Sense(Key.NO_SENSE, 0x00, 0x02, eom=True)).way is Way.MARK
    assert row_of(Sense(Key.HARDWARE_ERROR, 0x44, 0x00)).error is DeviceFailure
    assert row_of(Sense(Key.NOT_READY, 0x04, 0x01)).way is Way.WAIT


def test_a_row_that_stops_says_what_to_do() -> None:
    silent = {row.code for row in ROWS if row.way is Way.FAIL and not row.to_do}
    assert silent == {"0D/00/02", "05/20/00", "05/24/00", "05/25/..", "05/26/..", "05/20/..", "05/24/.."} & silent


def test_alerts_come_worst_first_and_in_two_languages() -> None:
    english = alerts.words(frozenset((1, 20, 19, 40)))
    assert english == (
        "the drive must be cleaned now", "trouble while reading", "the cartridge nears the end of its life",
        "TapeAlert 40",
    )  # fmt: skip
    assert alerts.words(frozenset((20,)), "fr") == ("le lecteur doit être nettoyé maintenant",)
    assert len({alert.flag for alert in alerts.ALERTS}) == len(alerts.ALERTS)


@pytest.mark.parametrize(
    ("model", "number"),
    (
        ("LTO-6 HH", 6),
        ("Ultrium 8-SCSI", 8),
        ("ULT3580-HH9", 9),
        ("ULTRIUM-HH7", 7),
        ("ULTRIUM-TD5", 5),
        ("LTO-10", 10),
    ),
)
def test_the_generation_of_a_drive_by_its_name(model: str, number: int) -> None:
    found = of_model(model)
    assert found is not None
    assert found.number == number


def test_other_drives_have_no_generation() -> None:
    assert of_model("SLR7") is None
    assert of_model("DAT72-USB") is None
    assert of_model("ULTRIUM") is None


def test_a_generation_reads_and_writes_its_own() -> None:
    for generation in GENERATIONS:
        assert generation.media_id in generation.writes
        assert set(generation.writes) <= set(generation.reads)
        assert media_of(generation.density) == generation.media_id
        assert generation.floor_mb_s < generation.native_mb_s
