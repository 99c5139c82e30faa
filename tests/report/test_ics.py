from datetime import UTC, date, datetime, timedelta

from icalendar import Calendar

from tapekit.report.ics import ics
from tapekit.rotation.forecast import ForecastNight, forecast
from tapekit.rotation.retention import Reuse
from tests.rotation.made import policy, stock, weekdays

STAMP = datetime(2026, 3, 1, 12, tzinfo=UTC)


def nights() -> list[ForecastNight]:
    rule = policy(weekdays(reuse=Reuse.OVERWRITE))
    return list(forecast("nightly", stock(), rule, date(2026, 3, 2), date(2026, 3, 10)))


def test_all_day_events_with_stable_uids() -> None:
    calendar = Calendar.from_ical(ics("Pharmacie du Port", "nightly", nights(), STAMP, "en"))
    events = calendar.walk("VEVENT")
    assert [event.decoded("dtstart") for event in events] == [night.night for night in nights()]
    assert all(type(event.decoded("dtstart")) is date for event in events)
    assert all(event.decoded("dtend") - event.decoded("dtstart") == timedelta(days=1) for event in events)
    uids = [str(event["uid"]) for event in events]
    assert uids[0] == "2026-03-02.nightly.Pharmacie_20_du_20_Port@tapekit"
    assert len(set(uids)) == len(uids)
    later = Calendar.from_ical(ics("Pharmacie du Port", "nightly", nights()[3:], STAMP + timedelta(1), "fr"))
    assert [str(event["uid"]) for event in later.walk("VEVENT")] == uids[3:]
    assert calendar["version"] == "2.0"
    assert calendar["prodid"]


def test_what_the_events_say() -> None:
    english, french = (
        Calendar.from_ical(ics("Port", "nightly", nights(), STAMP, language)).walk("VEVENT")
        for language in ("en", "fr")
    )
    assert str(english[0]["summary"]) == "MON-1 (nightly)"
    assert str(english[0]["description"]) == "Monday’s cartridge\nMON-1: new: to be labelled"
    assert str(english[5]["description"]) == (
        "Monday’s cartridge\nMON-1: overwritten, losing the only copy of 2 March"
    )  # fmt: skip
    assert str(french[5]["description"]).replace("\xa0", " ") == (
        "cartouche du lundi\nMON-1 : écrasée, ce qui fait perdre la seule copie du 2 mars"
    )  # fmt: skip


def test_lines_are_folded_as_the_standard_wants() -> None:
    written = ics('Pharmacie du Port, quai des Belges; "1er" étage', "nightly", nights(), STAMP, "fr")
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert str(Calendar.from_ical(written)["x-wr-calname"]).startswith('Pharmacie du Port, quai des Belges; "1er"')
