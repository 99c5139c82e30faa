"""Nights for the tests of reports."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

from tapekit.model import Rung
from tapekit.report.night import (
    CartridgeState,
    NightReport,
    Nights,
    Note,
    Outcome,
    Overwritten,
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

EVERY = (CLEAN, WARNINGS, SPOOLED, FAILED)
