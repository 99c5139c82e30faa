import dataclasses
import html.parser
import re
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from tapekit.model import Rung
from tapekit.report import charts
from tapekit.report.html import file_stem, index, page, write
from tapekit.report.line import line
from tapekit.report.night import CartridgeState, History, NightMark, NightReport, Note, Outcome, SizeSeries, SourceSize
from tapekit.report.words import Words
from tests.report import nights

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x\x1b[2J\udce9{{7*7}}"
VOID = {"meta", "rect", "line", "circle", "polyline", "br", "img"}


class Judge(html.parser.HTMLParser):
    """A second reader: which elements and attributes a browser would see, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("language", ("en", "fr"))
@pytest.mark.parametrize("count", (0, 1, 30, 365, 800))
@pytest.mark.parametrize("report", nights.EVERY, ids=lambda report: report.outcome)
def test_a_page_is_whole_and_opens_offline(report: NightReport, count: int, language: str) -> None:
    judge = Judge(page(report, nights.year(count), language, UTC))
    assert line(report, language, UTC) in judge.text
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(judge.tags)
    assert not [pair for pair in judge.attributes if pair[0] in {"src", "href", "style"} or pair[0].startswith("on")]
    assert ("lang", language) in judge.attributes
    assert judge.tags.count("title") - 1 == min(count, charts.SHOWN_NIGHTS)


def hostile() -> NightReport:
    return dataclasses.replace(
        nights.WARNINGS,
        site=HOSTILE,
        host=HOSTILE,
        job=HOSTILE,
        archive=HOSTILE,
        spool=HOSTILE,
        due=(HOSTILE,),
        problems=(Note("drive", {"drive": HOSTILE}, HOSTILE), Note(HOSTILE, {}, HOSTILE)),
        cartridges=(CartridgeState(HOSTILE, (Rung.WRITTEN,), 10, 5),),
        sizes=(SourceSize(HOSTILE, 5),),
        next_cartridges=(HOSTILE,),
    )


def test_hostile_names_are_text_and_nothing_else() -> None:
    history = History(
        (NightMark(nights.NIGHT, Outcome.CLEAN, Rung.COMPARED),),
        (SizeSeries(HOSTILE, ((nights.NIGHT, 5),)),),
        (),
        (CartridgeState(HOSTILE, (), 10, 5, 1, 1, 1),),
    )
    calm = Judge(page(nights.CLEAN, nights.year(5), "en", UTC))
    judge = Judge(page(hostile(), history, "en", UTC))
    assert set(judge.tags) <= set(calm.tags) | {"thead", "th"}
    assert {name for name, _ in judge.attributes} <= {name for name, _ in calm.attributes}
    assert "49" not in "".join(judge.text)
    assert sum("<script>alert(1)</script>" in text for text in judge.text) >= 12
    Judge(index([hostile()], "fr", UTC))


def test_no_page_says_more_than_the_evidence() -> None:
    report = dataclasses.replace(nights.CLEAN, cartridges=(CartridgeState("TUE-1", (Rung.WRITTEN,)),))
    text = " ".join(Judge(page(report, History(), "en", UTC)).text)
    assert "compared with the source" not in text
    assert "Saved, not read back." in text


def test_the_calendar_has_each_day_once_in_its_place() -> None:
    history = nights.year(365)
    picture = charts.calendar(history, Words("fr"))
    assert picture
    cells = [cell for band in picture.bands for cell in band.cells]
    assert len(cells) == 365
    for band in picture.bands:
        assert len({(cell.x, cell.y) for cell in band.cells}) == len(band.cells)
        assert all(cell.x + charts.CELL <= band.width and cell.y + charts.CELL <= band.height for cell in band.cells)
    rows = {cell.title.split()[0]: cell.y for cell in cells}
    assert sorted(rows, key=lambda day: rows[day]) == [
        "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
    ]  # fmt: skip
    kinds = {cell.kind for cell in cells}
    assert kinds == {kind for kind, _, _ in picture.legend}
    assert {"spooled", "failed", "missed", "closed", "rung4"} <= kinds


def test_a_night_on_no_cartridge_has_no_rung_in_the_calendar() -> None:
    marks = tuple(NightMark(date(2026, 1, 1), outcome, Rung.COMPARED) for outcome in Outcome)
    picture = charts.calendar(History(marks), Words("en"))
    assert picture
    assert [cell.kind for cell in picture.bands[0].cells] == ["rung4", "rung4", "spooled", "failed"]


@pytest.mark.parametrize("sizes", ((0,), (0, 0), (1, 10**15), (5, 0, 7)))
def test_a_trend_stays_within_its_picture(sizes: tuple[int, ...]) -> None:
    points = tuple((date(2026, 1, 1) + timedelta(days=day), size) for day, size in enumerate(sizes))
    (plot,) = charts.size_plots(History(sizes=(SizeSeries("x", points),)), Words("en"))
    for point in plot.line.split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= charts.PLOT_WIDTH
        assert charts.PLOT_TOP <= y <= charts.PLOT_HEIGHT - charts.PLOT_BOTTOM


def test_a_directory_keeps_the_latest_and_an_index(tmp_path: Path) -> None:
    (tmp_path / "notes.html").write_text("a person's own")
    for day in range(6):
        moved = timedelta(days=day)
        report = dataclasses.replace(nights.CLEAN, night=nights.NIGHT + moved, begun=nights.BEGUN + moved)
        write(tmp_path, report, nights.year(3), "en", timedelta(days=3), UTC)
    pages = sorted(entry.name for entry in tmp_path.glob("2026-*.html"))
    assert [name[:10] for name in pages] == ["2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"]
    links = re.findall(r'href="([^"]+)"', (tmp_path / "index.html").read_text())
    assert links == pages[::-1]
    assert (tmp_path / "notes.html").exists()
    assert not (tmp_path / pages[0]).stat().st_mode & 0o007
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_a_damaged_report_is_left_out_of_the_index(tmp_path: Path) -> None:
    path = write(tmp_path, nights.CLEAN, History(), "en", None, UTC)
    (tmp_path / path.name.replace("2026-11-24", "2026-11-23")).with_suffix(".json").write_text("{")
    write(tmp_path, nights.CLEAN, History(), "en", None, UTC)
    assert (tmp_path / "index.html").read_text().count("<a href") == 1


def test_a_hostile_job_makes_no_other_path() -> None:
    report = dataclasses.replace(nights.CLEAN, job="../../etc/<x>\0é")
    assert file_stem(report) == "2026-11-24T213000Z--etc-x-"
