"""A report as tables of text: what the mail and the page both show, in one language."""

from datetime import datetime, tzinfo
from typing import NamedTuple

from tapekit.report import health
from tapekit.report.night import CartridgeState, DriveHealth, NightReport, Overwritten, SourceSize, Timing
from tapekit.report.words import Words, printable

Row = tuple[str, ...]


class Table(NamedTuple):
    """A heading, names of columns, and rows of as many cells."""

    heading: str
    columns: Row
    rows: list[Row]


def facts(report: NightReport, words: Words, zone: tzinfo | None) -> list[tuple[str, str]]:
    """Names and values of what there is to say of the night as a whole."""
    pairs = [
        ("outcome", f"{words.outcome(report.outcome)} ({words('exit_code', code=str(report.exit_code))})"),
        ("evidence", ", ".join(words.rung(rung) for rung in report.rungs) or words("evidence.none")),
        ("cartridge", words.listed([printable(cartridge.name) for cartridge in report.cartridges])),
        ("due", words.listed([printable(name) for name in report.due])),
        ("spool", _spool(report, words)),
        ("overwritten", words.clauses(overwritten(one, words) for one in report.overwritten)),
        ("next", _next(report, words)),
        ("members", words.number(report.members) if report.members else ""),
        ("source", words.size(report.source_bytes) if report.archive else ""),
        ("stored", words.size(report.stored_bytes) if report.archive else ""),
        ("throughput", words.speed(report.bytes_per_second) if report.bytes_per_second else ""),
        ("forecast", words.forecast(report.nights_left) if report.nights_left is not None else ""),
        ("begun", clock(report.begun, words, zone)),
        (
            "ended",
            words("took", clock=clock(report.ended, words, zone), duration=words.duration(report.seconds)),
        ),
        ("job", printable(report.job)),
        ("host", printable(report.host)),
        ("archive", printable(report.archive)),
    ]
    return [(words(key), value) for key, value in pairs if value]


def tables(report: NightReport, words: Words) -> list[Table]:
    """Cartridges, sizes and times; a table with no rows is left out."""
    found = [
        Table(
            words("cartridges"),
            tuple(words(key) for key in ("cartridge", "room", "written", "loads", "errors")),
            [_cartridge(cartridge, words) for cartridge in report.cartridges],
        ),
        Table(
            words("drive.health"),
            tuple(words(key) for key in ("drive", "alerts", "counters")),
            [_drive(one, words) for one in report.health],
        ),
        Table(
            words("sizes"),
            tuple(words(key) for key in ("name", "size", "growth", "verdict")),
            [_size(size, words) for size in report.sizes],
        ),
        Table(words("times"), ("", "", ""), [timing_row(timing, words) for timing in report.timings]),
    ]
    return [table for table in found if table.rows]


def overwritten(one: Overwritten, words: Words) -> str:
    """What made room, and what of it is gone for good."""
    nights = words("overwritten.nights", cartridge=printable(one.cartridge), nights=words.nights(one.nights))
    loss = words("lost", nights=words.nights(one.lost)) if one.lost else words("overwritten.safe")
    return words.clauses((nights, loss))


def clock(moment: datetime, words: Words, zone: tzinfo | None) -> str:
    """A date and time where the site is."""
    local = moment.astimezone(zone)
    return f"{words.date(local.date())}, {local:%H:%M}"


def _spool(report: NightReport, words: Words) -> str:
    if not report.spool:
        return ""
    return words("spool.waiting", path=printable(report.spool), count=str(report.waiting))


def _next(report: NightReport, words: Words) -> str:
    if not report.next_cartridges or report.next_night is None:
        return ""
    names = words.listed([
        words("next.slot", cartridge=printable(name), slot=str(report.next_slots[name]))
        if name in report.next_slots else printable(name)
        for name in report.next_cartridges
    ])  # fmt: skip
    return words("next.value", cartridges=names, date=words.date(report.next_night, with_weekday=True))


def _cartridge(cartridge: CartridgeState, words: Words) -> Row:
    room = ""
    if cartridge.remaining_bytes is not None:
        room = words.size(cartridge.remaining_bytes)
        if cartridge.capacity_bytes:
            room = words("room.of", remaining=room, capacity=words.size(cartridge.capacity_bytes))
    return (
        printable(cartridge.name),
        room,
        words.size(cartridge.written_bytes),
        words.number(cartridge.loads),
        words.number(cartridge.errors),
    )


def _drive(one: DriveHealth, words: Words) -> Row:
    return printable(one.drive), health.said(one, words), words.clauses(health.counted(one, words))


def _size(size: SourceSize, words: Words) -> Row:
    growth = "" if size.growth_bytes_per_week is None else words.growth(size.growth_bytes_per_week)
    return printable(size.name), words.size(size.size_bytes), growth, words.verdict(size.verdict)


def timing_row(timing: Timing, words: Words) -> Row:
    """A step of the night, how long it took, how fast it was."""
    speed = timing.bytes_per_second
    told = [words.speed(speed)] if speed else []
    if timing.stops:
        source, needed = words.speed(timing.source_bytes_s), words.speed(timing.needed_bytes_s)
        key = "stops" if timing.source_bytes_s else "stops.unmeasured"
        told.append(words(key, count=words.number(timing.stops), source=source, needed=needed))
    return words.step(timing.step), words.duration(timing.seconds), words.clauses(told)
