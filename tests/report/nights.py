"""Nights for the tests of reports."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

from tapekit.model import Rung
from tapekit.report.night import (
    CartridgeState,
    DriveHealth,
    History,
    NightMark,
    NightReport,
    Nights,
    Note,
    Outcome,
    Overwritten,
    SizeSeries,
    SourceSize,
    Step,
    Timing,
    Verdict,
)

NIGHT = date(2026, 11, 24)
BEGUN = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
PROVEN = (Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK, Rung.COMPARED)

CLEAN = NightReport(
    site="Pharmacie du Port",
    host="officine",
    job="nightly",
    night=NIGHT,
    begun=BEGUN,
    ended=BEGUN + timedelta(minutes=47),
    outcome=Outcome.CLEAN,
    archive="0123456789abcdef0123456789abcdef",
    cartridges=(CartridgeState("TUE-1", PROVEN, 500 * 10**9, 310 * 10**9, 41, 3 * 10**12),),
    due=("TUE-1",),
    members=184_311,
    source_bytes=62 * 10**9,
    stored_bytes=38 * 10**9,
    timings=(
        Timing(Step.DUMP, 210, 9 * 10**9),
        Timing(Step.WRITE, 1190, 38 * 10**9),
        Timing(Step.READ_BACK, 980, 38 * 10**9),
        Timing(Step.COMPARE, 380, 62 * 10**9),
        Timing(Step.SAMPLE_RESTORE, 12.4),
    ),
    next_cartridges=("WED-1",),
    next_night=date(2026, 11, 25),
    sizes=(
        SourceSize("/srv/pharmacy", 53 * 10**9, 52 * 10**9, 210 * 10**6, Verdict.STEADY),
        SourceSize("pharmacy", 9 * 10**9, 9 * 10**9, 40 * 10**6, Verdict.STEADY),
    ),
    nights_left=212,
)

WARNINGS = dataclasses.replace(
    CLEAN,
    outcome=Outcome.WARNINGS,
    exit_code=3,
    warnings=(Note("files-changed", {"count": "3", "first": "srv/pharmacy/log.txt"}),),
    overwritten=(
        Overwritten(
            "TUE-1",
            (Nights("nightly", date(2026, 3, 1), date(2026, 3, 9)),),
            (Nights("nightly", date(2026, 3, 3), date(2026, 3, 9)),),
        ),
    ),
)

SPOOLED = dataclasses.replace(
    CLEAN,
    outcome=Outcome.SPOOLED,
    exit_code=5,
    cartridges=(),
    spool="/var/spool/tapekit",
    waiting=2,
    problems=(Note("no-cartridge", {"due": "TUE-1"}),),
)

FAILED = dataclasses.replace(
    CLEAN,
    outcome=Outcome.FAILED,
    exit_code=4,
    archive="",
    cartridges=(),
    members=0,
    source_bytes=0,
    stored_bytes=0,
    timings=(),
    sizes=(),
    problems=(Note("drive", {"drive": "rdx"}, "rdx: no answer"),),
)

WITH_DRIVE = dataclasses.replace(
    WARNINGS, health=(DriveHealth("lto", (9, 20), (), {"write errors corrected": 3, "write errors not corrected": 0}),)
)

EVERY = (CLEAN, WARNINGS, WITH_DRIVE, SPOOLED, FAILED)


def year(count: int) -> History:
    """A history of so many nights up to NIGHT: Sundays closed, some nights missed, failed or spooled."""
    marks, small, large, speeds = [], [], [], []
    for number in range(count):
        night = NIGHT - timedelta(days=count - 1 - number)
        rung = (Rung.SAMPLE_RESTORED, Rung.COMPARED, Rung.COMPARED, Rung.READ_BACK)[number % 4]
        mark = NightMark(night, Outcome.CLEAN, rung)
        if night.isoweekday() == 7:
            mark = NightMark(night, is_closed=True)
        elif number % 29 == 17:
            mark = NightMark(night, Outcome.SPOOLED)
        elif number % 41 == 20:
            mark = NightMark(night, Outcome.FAILED)
        elif number % 53 == 10:
            mark = NightMark(night)
        else:
            small.append((night, 8 * 10**9 + number * 5 * 10**6))
            large.append((night, 40 * 10**9 + number * 4 * 10**7 + (number * 7919 % 13) * 10**8))
            speeds.append((night, 30e6 + (number * 104729 % 17) * 4e5))
        marks.append(mark)
    cartridges = (
        CartridgeState("MON-1", (), 500 * 10**9, 40 * 10**9, 52, 2 * 10**12),
        CartridgeState("TUE-1", PROVEN, 500 * 10**9, 310 * 10**9, 41, 3 * 10**12),
        CartridgeState("WED-1", (), 500 * 10**9, 120 * 10**9, 390, 9 * 10**12, errors=4),
        CartridgeState("NEW"),
    )
    return History(
        tuple(marks),
        (SizeSeries("/srv/pharmacy", tuple(large)), SizeSeries("pharmacy", tuple(small))),
        tuple(speeds),
        cartridges,
    )
