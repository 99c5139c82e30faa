"""The pictures of a report: geometry for the template, which draws it as SVG and escapes every text.

Values only; sizes are in the units of the picture (its viewBox), and the template scales it to the page.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from datetime import date, timedelta

from tapekit.report.night import CartridgeState, History, NightMark, Outcome
from tapekit.report.words import Words, printable

CELL = 22
GAP = 3
LABEL_WIDTH = 26
HEAD = 18
WEEK = 7
SHOWN_NIGHTS = 371
WEEKS_PER_BAND = 14
"""A band is as wide as a phone; on a screen two stand side by side, so that a year is seen at once."""
MONTH_WIDTH = 66
BAND_WIDTH = LABEL_WIDTH + (WEEKS_PER_BAND - 1) * (CELL + GAP) + MONTH_WIDTH

PLOT_WIDTH = 480
PLOT_HEIGHT = 150
PLOT_TOP = 24
PLOT_BOTTOM = 28
PLOT_SIDE = 6
GRID_LINES = 3

ERRORS_WORN = 1


@dataclasses.dataclass(frozen=True)
class Cell:
    """A day: its place, its class (colour) and letter, and what it says when pointed at."""

    x: float
    y: float
    kind: str
    letter: str
    title: str


@dataclasses.dataclass(frozen=True)
class Text:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclasses.dataclass(frozen=True)
class Band:
    """Some weeks of the calendar, from left to right; days from top to bottom."""

    width: float
    height: float
    cells: tuple[Cell, ...]
    texts: tuple[Text, ...]


@dataclasses.dataclass(frozen=True)
class Calendar:
    """Bands of weeks, oldest first."""

    bands: tuple[Band, ...]
    legend: tuple[tuple[str, str, str], ...]
    """Kind, letter and words of each sign that occurs."""


@dataclasses.dataclass(frozen=True)
class Plot:
    """A line over time, with its scale."""

    name: str
    latest: str
    line: str
    """Points of a polyline."""
    last: tuple[float, float]
    scale: tuple[Text, ...]
    days: tuple[Text, ...]


@dataclasses.dataclass(frozen=True)
class Bar:
    """A cartridge: how full it is, and how it does."""

    name: str
    percent: float | None
    room: str
    health: str
    is_worn: bool


def calendar(history: History, words: Words) -> Calendar | None:
    """The calendar of nights; None where there is none."""
    nights = history.nights[-SHOWN_NIGHTS:]
    if not nights:
        return None
    monday = nights[0].night - timedelta(days=nights[0].night.weekday())
    bands: dict[int, list[NightMark]] = {}
    for mark in nights:
        bands.setdefault((mark.night - monday).days // (WEEK * WEEKS_PER_BAND), []).append(mark)
    used = {sign[0]: sign for sign in (_sign(mark, words) for mark in nights)}
    return Calendar(
        tuple(
            _band(marks, monday + timedelta(weeks=WEEKS_PER_BAND * number), words) for number, marks in bands.items()
        ),
        tuple(used[kind] for kind in _KINDS if kind in used),
    )


def size_plots(history: History, words: Words) -> list[Plot]:
    """The size of each source over time."""
    return [
        _plot(printable(series.name), series.points, [words.size(value) for _, value in _scale(series.points)], words,
              words.size(series.points[-1][1]))
        for series in history.sizes
        if series.points
    ]  # fmt: skip


def throughput_plot(history: History, words: Words) -> Plot | None:
    """How fast nights were written."""
    points = history.throughput
    if not points:
        return None
    return _plot(
        "", points, [words.speed(value) for _, value in _scale(points)], words,
        words.speed(points[-1][1]),
    )  # fmt: skip


def cartridge_bars(cartridges: Sequence[CartridgeState], words: Words) -> list[Bar]:
    """How full each cartridge is, and how it does."""
    return [_bar(cartridge, words) for cartridge in cartridges]


_KINDS = ("rung6", "rung5", "rung4", "rung3", "rung2", "rung1", "spooled", "failed", "missed", "closed")


def _band(marks: Sequence[NightMark], monday: date, words: Words) -> Band:
    cells, months = [], []
    for mark in marks:
        x = LABEL_WIDTH + (mark.night - monday).days // WEEK * (CELL + GAP)
        kind, letter, meaning = _sign(mark, words)
        title = f"{words.date(mark.night, with_weekday=True)}: {meaning}"
        cells.append(Cell(x, HEAD + mark.night.weekday() * (CELL + GAP), kind, letter, title))
        if mark.night.day == 1 or mark is marks[0]:
            months.append(Text(x, HEAD - 5, words.month(mark.night.month)))
    days = [Text(0, HEAD + day * (CELL + GAP) + CELL - 7, words.weekday(day)[:2]) for day in range(0, WEEK, 2)]
    return Band(BAND_WIDTH, HEAD + WEEK * (CELL + GAP), tuple(cells), (*days, *_apart(months)))


def _sign(mark: NightMark, words: Words) -> tuple[str, str, str]:
    if mark.outcome is None:
        kind = "closed" if mark.is_closed else "missed"
        return kind, words(f"letter.{kind}"), words(f"outcome.{kind}")
    if mark.rung is None or mark.outcome in (Outcome.SPOOLED, Outcome.FAILED):
        kind = "spooled" if mark.outcome is Outcome.SPOOLED else "failed"
        return kind, words(f"letter.{kind}"), words(f"outcome.{kind}")
    return f"rung{mark.rung.value}", words(f"letter.{mark.rung.value}"), words.rung(mark.rung)


def _apart(texts: Sequence[Text]) -> list[Text]:
    """Leave out the name of a month that the next one would stand on."""
    return [
        text
        for text, following in itertools.zip_longest(texts, texts[1:])
        if following is None or following.x - text.x >= MONTH_WIDTH
    ]


def _plot(name: str, points: Sequence[tuple[date, float]], labels: Sequence[str], words: Words, latest: str) -> Plot:
    scale = _scale(points)
    top = scale[-1][1]
    first, last = points[0][0], points[-1][0]
    days = max(1, (last - first).days)
    wide, high = PLOT_WIDTH - 2 * PLOT_SIDE, PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM

    def place(night: date, value: float) -> tuple[float, float]:
        x = PLOT_SIDE + wide * (night - first).days / days
        return round(x, 1), round(PLOT_TOP + high * (1 - value / top), 1)

    places = [place(*point) for point in points]
    ends = [first] if first == last else [first, last]
    return Plot(
        name,
        latest,
        " ".join(f"{x},{y}" for x, y in places),
        places[-1],
        tuple(Text(0, place(first, value)[1], label) for (_, value), label in zip(scale, labels, strict=True)),
        tuple(Text(place(night, 0)[0], PLOT_HEIGHT - 7, words.date(night)) for night in ends),
    )


def _scale(points: Sequence[tuple[date, float]]) -> list[tuple[int, float]]:
    """Values of the grid's lines: from nought to a round number above all points."""
    highest = max(1.0, *(value for _, value in points), 1.0)
    power = 10.0 ** math.floor(math.log10(highest))
    top = next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= highest)
    return [(line, top * line / (GRID_LINES - 1)) for line in range(GRID_LINES)]


def _bar(cartridge: CartridgeState, words: Words) -> Bar:
    percent = None
    room = ""
    if cartridge.capacity_bytes and cartridge.remaining_bytes is not None:
        percent = min(100.0, max(0.0, 100 - 100 * cartridge.remaining_bytes / cartridge.capacity_bytes))
        room = words(
            "room.of",
            remaining=words.size(cartridge.remaining_bytes),
            capacity=words.size(cartridge.capacity_bytes),
        )
    health = words("health.value", loads=words.number(cartridge.loads), errors=words.number(cartridge.errors))
    return Bar(printable(cartridge.name), percent, room, health, cartridge.errors >= ERRORS_WORN)
