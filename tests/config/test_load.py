"""What is wrong with a file is said with its line, its field, and what would be right."""

import os
from datetime import date, time
from pathlib import Path

import pytest

from tapekit.config.load import BadConfiguration, load
from tapekit.errors import UsageError
from tests.config.files import GOOD


def _load(folder: Path, text: str) -> list[tuple[int | None, str, str, str | None]]:
    path = folder / "tapekit.toml"
    path.write_text(text, "utf-8")
    try:
        load(str(path))
    except BadConfiguration as error:
        return [(it.line, it.field, it.why, it.hint) for it in error.problems]
    return []


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tapekit.toml"
    path.write_text(GOOD)
    read = load(str(path))
    job = read.jobs["nightly"]
    assert (job.time, job.in_reach, job.sources[0].path) == (time(21, 30), ("rdx",), Path("/srv/pharmacy"))
    assert read.drives["spare"].url == "image:/srv/spare.tkc"
    assert read.pools["daily"].retention.after(date(2026, 3, 1)) == date(2026, 3, 7)
    assert [day.is_on(date(2027, 12, 26)) for day in read.calendar.holidays] == [False, True]
    assert date(2026, 8, 16) in read.calendar.absences[0]


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "why", "hint"),
    (
        ("time =", "tiem =", 21, "jobs.nightly.time", "missing", None),
        ("time =", "time = 3\ntiem =", 26, "jobs.nightly.tiem", "not a key", "did you mean time?"),
        ("time =", "zzz = 1\ntime =", 25, "jobs.nightly.zzz", "not a key", "keys here: after, before"),
        ("[calendar]", "[calender]", 5, "calender", "not a key", "did you mean calendar?"),
        ('"21:30"', '"25:30"', 25, "jobs.nightly.time", 'expected a time such as "21:30", got \'25:30\'', None),
        ('"21:30"', "true", 25, "jobs.nightly.time", "got true", None),
        ('drive = "rdx"', 'drive = "rdy"', 23, "jobs.nightly.drive", "there is no [drives] rdy", "did you mean rdx?"),
        ('drive = "rdx"', "", 21, "jobs.nightly", "expected either drive or drives", None),
        ('drive = "rdx"', 'drives = ["rdx", "x"]', 23, "jobs.nightly.drives[2]", "no [drives] x", "has: rdx, s"),
        ('drive = "rdx"', 'drives = ["rdx", "rdx"]', 23, "jobs.nightly.drives", "rdx is named twice", None),
        ('rotation = "week"', 'rotation = "w"', 24, "jobs.nightly.rotation", "there is no [rotations.w]", "has: week"),
        ('pool = "daily"', 'pool = "dayly"', 19, "rotations.week.pool", "no [pools.dayly]", "did you mean daily?"),
        ('"weekdays"', '"weekday"', 17, "rotations.week", "expected one of weekdays, gfs", "did you mean weekdays?"),
        ('"weekdays"', '"weekdays"\ndays = ["mon"]', 19, "rotations.week.days", "expected at least 5", None),
        ('"weekdays"', '"weekdays"\nsets = "2"', 19, "rotations.week.sets", "expected a whole number, got '2'", None),
        ('"weekdays"', '"weekdays"\ncount = 2', 19, "rotations.week.count", "not a key", "keys here"),
        ('"weekdays"', '"weekdays"\ncartridges = ["A"]', 17, "rotations.week", "1 names, expected 5", None),
        ('scheme = "weekdays"', 'scheme = "hanoi"', 17, "rotations.week", "either count or cartridges", None),
        ('scheme = "weekdays"', "", 17, "rotations.week", "scheme: missing", None),
        ("6 days", "6 dais", 15, "pools.daily.retention", "expected a duration", None),
        ("12-26", "02-30", 7, "calendar.holidays[2]", "the calendar has no such day", None),
        ("2026-08-16", "2026-07-16", 8, "calendar.absences[1]", "the last day is before the first", None),
        ("closed =", 'country = "XX"\nclosed =', 5, "calendar", "no public holidays are known of XX", "list them"),
        ("closed =", 'country = "FR"\nregion = "x"\nclosed =', 5, "calendar", "FR has no region x", "it has: "),
        ('["/srv/pharmacy"]', '["srv"]', 22, "jobs.nightly.sources[1].path", "expected an absolute path", None),
        ('["/srv/pharmacy"]', '["/a", "/a"]', 21, "jobs.nightly", "sources: /a is named twice", None),
        ('command = ["sync"]', 'command = "sync"', 26, "jobs.nightly.before[1].command", "a list in [ ]", None),
        ('"postgresql"', '"mysql"', 28, "jobs.nightly.databases[1]", "expected one of postgresql, sqlite", None),
        ('name = "pharmacy"', 'name = "a\\nb"', 30, "jobs.nightly.databases[1].name", "control characters", None),
        ('"fr"', '"de"', 3, "site.language", "expected one of en, fr, got 'de'", None),
        ("language", 'catalog = "postgresql://me:pw@h/x"\nlanguage', 3, "site.catalog", "a password", "that: catal"),
        ("mailto://", "mailto://me:pw@", 33, "notifications.always[1].url", "a password has no place", "put it in a"),
        ("?to=me", "?to=me&pass=pw", 33, "notifications.always[1].url", "a password has no place", "put it in a"),
        ('{ url_env = "WEBHOOK" }', "{}", 33, "notifications.always[2]", "expected one of url, url_file", None),
    ),
)  # fmt: skip
def test_a_problem_has_its_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, field: str, why: str, hint: str | None
) -> None:
    assert old in GOOD
    problems = _load(tmp_path, GOOD.replace(old, new, 1))
    found = [problem for problem in problems if problem[:2] == (line, field) and why in problem[2]]
    assert found, problems
    assert (hint or "") in (found[0][3] or "")
    assert "pw" not in str(problems)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tapekit.toml"
    path.write_text(GOOD.replace("time =", "tiem =").replace('"weekdays"', '"weekday"'))
    with pytest.raises(BadConfiguration) as caught:
        load(str(path))
    schemes = "weekdays, gfs, hanoi, round-robin"
    assert str(caught.value).splitlines() == [
        f"configuration: {path}: line 17: rotations.week: scheme: expected one of {schemes}, got 'weekday'",
        "  hint: did you mean weekdays?",
        f"configuration: {path}: line 21: jobs.nightly.time: missing",
        f"configuration: {path}: line 25: jobs.nightly.tiem: not a key",
    ]
    assert caught.value.hint == "did you mean time?"


def test_a_pool_is_needed_for_the_cartridges_that_there_are(tmp_path: Path) -> None:
    gfs = 'scheme = "gfs"\ndaily = 4\nweekly = 4\nmonthly = {}\n'
    text = GOOD.replace('scheme = "weekdays"\npool = "daily"\n', gfs)
    text = text.replace("[rotations", '[pools.weekly]\nretention = "4 weeks"\n[rotations')
    assert _load(tmp_path, text.replace("{}", "0")) == []
    ((_, field, why, _),) = _load(tmp_path, text.replace("{}", "12"))
    assert (field, why) == ("rotations.week.monthly_pool", "there is no [pools.monthly]")


@pytest.mark.parametrize(
    ("content", "complaint"),
    (
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b'[site]\nname = "\xe9"', "line 2: not UTF-8"),
        (b"[site]\nname = ", "not TOML: .*at end of document"),
        (b"site = 3", "line 1: site: expected a table"),
        (b"jobs = [1]", "line 1: jobs: expected a table"),
        (b"\xef\xbb\xbf[site]\r\nname = 3\r\n", "line 2: site.name: expected text in quotes, got 3"),
    ),
)  # fmt: skip
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "tapekit.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        load(str(path))


def test_a_directory_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        load(str(tmp_path))
    with pytest.raises(UsageError, match="no such file"):
        load(str(tmp_path / "x.toml"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "tapekit.toml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(UsageError, match="permission denied") as caught:
        load(str(path))
    assert caught.value.hint
