"""A cartridge that is put in is told once, right from wrong, and starts its job at most once."""

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import DeviceFailure, NoDevice
from drivers.scsi import commands as c
from drivers.virtual.tape.unit import TapeUnit
from tapekit import clock, drives
from tapekit.errors import TapekitError
from tapekit.jobs.attend import FILE, Attendant, Happened, Judged
from tapekit.jobs.nightly.lock import locked
from tapekit.report.night import Outcome
from tapekit.schedule import install
from tests.jobs.nightly.site import Site
from tests.report.sinks import WebSink, serving

OPTIONS: dict[str, object] = {"eject": False, "verify": "none", "parity": False}


def made(root: Path) -> Site:
    return Site(root, 16 << 20, calendar={"closed": ["sat", "sun"]}, options=dict(OPTIONS))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose first night is on MON-1: a night is dear, a copy of it is not."""
    site = made(tmp_path_factory.mktemp("saved"))
    site.put_in("MON-1")
    site.run()
    return site.root


@pytest.fixture
def site(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The evening of the second night; MON-1 is written, and out."""
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "site/state"))
    monkeypatch.setattr(install, "installed", lambda _root, job: [Path(job)])
    shutil.copytree(saved, tmp_path / "site", symlinks=True)
    copied = made(tmp_path / "site")
    copied.next_day()
    copied.put_in(None)
    return copied


class Starts:
    """Which jobs were started."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def __call__(self, job: str) -> None:
        self.jobs.append(job)


def attendant(site: Site, start: Callable[[str], None] | None = None, *runs: str) -> Attendant:
    return Attendant(site.configuration(), site.root / "state", start or Starts(), runs)


def look(attending: Attendant, site: Site) -> list[Any]:
    with clock.running(lambda: site.now):
        return [each if isinstance(each, Happened) else _short(each) for each in attending.look()]


def _short(judged: Judged) -> tuple[str, int, bool, str]:
    return judged.job, int(judged.check.exit_code), judged.is_started, judged.why_not_started


def test_the_right_one_is_told_once(site: Site) -> None:
    attending = attendant(site)
    assert look(attending, site) == []
    site.put_in("TUE-1")
    assert look(attending, site) == [Happened("rdx", "in", "", "blank"), ("office", 0, False, "")]
    assert look(attending, site) == []
    site.put_in(None)
    assert look(attending, site) == [Happened("rdx", "out")]
    assert look(attending, site) == []


def test_the_wrong_one_is_told_to_those_who_hear_of_bad_nights(site: Site) -> None:
    with serving(WebSink()) as web:
        site.notifications = {"problems": [f"json://127.0.0.1:{web.port}/"]}
        site.put_in("MON-1")
        start = Starts()
        attending = attendant(site, start, "office")
        why = "the night would not go onto the cartridge that is due"
        assert look(attending, site) == [Happened("rdx", "in", "MON-1"), ("office", 3, False, why)]
        assert look(attending, site) == []
        assert start.jobs == []
        assert len(web.bodies) == 1
        assert "MON-1 is in, TUE-1 is due" in str(web.bodies[0])


def test_a_restart_is_no_new_cartridge_and_another_one_is(site: Site) -> None:
    site.put_in("MON-1")
    assert look(attendant(site), site) != []
    assert look(attendant(site), site) == []
    site.put_in("TUE-1")
    assert look(attendant(site), site)[0].what == "in"


def test_what_was_kept_may_be_damaged(site: Site) -> None:
    for content in ("", "{", '{"drives": 1}', "[]", '{"drives": {"rdx": "x"}}'):
        (site.root / "state" / FILE).write_text(content)
        assert look(attendant(site), site) == []
    site.put_in("MON-1")
    assert len(look(attendant(site), site)) == 2


def test_a_blank_one_that_the_night_labels_is_no_other_one(site: Site) -> None:
    attending = attendant(site)
    site.put_in("TUE-1")
    look(attending, site)
    site.run()
    assert look(attending, site) == [Happened("rdx", "in", "TUE-1")]


def test_swapped_while_nobody_looked(site: Site) -> None:
    attending = attendant(site)
    site.put_in("MON-1")
    look(attending, site)
    site.put_in("WED-1")
    assert look(attending, site)[0] == Happened("rdx", "in", "", "blank")


def test_a_job_is_started_once_for_a_night(site: Site) -> None:
    start = Starts()
    attending = attendant(site, start, "office")
    site.put_in("TUE-1")
    assert look(attending, site)[1] == ("office", 0, True, "")
    site.put_in(None)
    look(attending, site)
    site.put_in("TUE-1")
    assert look(attending, site)[1] == ("office", 0, False, "it was started already")
    assert look(attendant(site, start, "office"), site) == []
    assert start.jobs == ["office"]


def test_a_night_that_has_run_is_not_run_again(site: Site) -> None:
    start = Starts()
    site.put_in("TUE-1")
    site.run()
    site.now += timedelta(hours=1)
    assert look(attendant(site, start, "office"), site)[1][3] == "its night has run"
    assert start.jobs == []


def test_the_configuration_says_so_too(site: Site) -> None:
    start = Starts()
    site.options["on_insert"] = "run"
    site.put_in("TUE-1")
    look(attendant(site, start), site)
    assert start.jobs == ["office"]


def test_a_job_that_is_late_is_started_all_the_more(site: Site) -> None:
    start = Starts()
    site.next_day(7)
    site.put_in("TUE-1")
    assert look(attendant(site, start, "office"), site)[1] == ("office", 4, True, "")
    assert start.jobs == ["office"]


def test_a_start_that_fails_is_said(site: Site) -> None:
    def start(_job: str) -> None:
        raise TapekitError("schedule: systemctl start: no such unit")

    site.put_in("TUE-1")
    assert look(attendant(site, start, "office"), site)[1] == (
        "office", 0, False, "schedule: systemctl start: no such unit",
    )  # fmt: skip


def test_a_drive_in_use_is_looked_at_later(site: Site) -> None:
    attending = attendant(site)
    site.put_in("MON-1")
    with locked(site.root / "state/locks", [f"image:{site.drive}"], "job office", 0):
        assert look(attending, site) == []
    assert len(look(attending, site)) == 2


def test_a_device_that_goes_away_in_the_middle(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails, is said once, and what was in it counts until somebody can look again."""
    attending = attendant(site)
    site.put_in("MON-1")
    look(attending, site)
    real = drives.open_drive
    errors: list[Exception] = [DeviceFailure("rdx: gone"), DeviceFailure("rdx: gone"), NoDevice("rdx: none")]

    def failing(*args: Any, **named: Any) -> Any:  # noqa: ANN401
        if errors:
            raise errors.pop(0)
        return real(*args, **named)

    monkeypatch.setattr(drives, "open_drive", failing)
    assert look(attending, site) == [Happened("rdx", "problem", words="rdx: gone")]
    assert look(attending, site) == []
    assert look(attending, site) == [Happened("rdx", "out")]
    assert look(attending, site)[0] == Happened("rdx", "in", "MON-1")


def test_two_at_once_are_two_and_their_job_is_asked_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    content = site.content()
    content["drives"] = {"rdx": f"image:{site.drive}", "usb": f"image:{site.root}/usb"}
    jobs: Any = content["jobs"]
    jobs["office"] = {key: value for key, value in jobs["office"].items() if key != "drive"} | {
        "drives": ["rdx", "usb"]
    }
    monkeypatch.setattr(site, "content", lambda: content)
    site.put_in("TUE-1")
    (site.root / "usb").symlink_to(site.cartridge("MON-1"))
    found = look(attendant(site), site)
    assert [each.drive for each in found[:2]] == ["rdx", "usb"]
    assert found[2:] == [("office", 0, False, "")]


def test_state_that_cannot_be_kept_stops_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("tapekit.jobs.attend.write_atomically", full)
    site.put_in("MON-1")
    attending = attendant(site)
    assert len(look(attending, site)) == 2
    assert look(attending, site) == []


def test_a_tape_is_wound_for_no_look_but_the_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may be at work with it: also after a restart it is asked which one it is, and no more."""
    url, content = f"virtual:{site.root}/tape?generation=6&capacity=16M", site.content()
    monkeypatch.setattr(site, "content", lambda: content | {"drives": {"rdx": url}})
    commands: list[int] = []
    execute = TapeUnit.execute

    def noted(self: TapeUnit, command: bytes, data_out: bytes, room: int) -> Any:  # noqa: ANN401
        commands.append(command[0])
        return execute(self, command, data_out, room)

    monkeypatch.setattr(TapeUnit, "execute", noted)
    attending = attendant(site)
    assert look(attending, site)[0] == Happened("rdx", "in", "", "blank")
    assert c.REWIND.opcode in commands
    for again in (attending, attending, attendant(site)):
        commands.clear()
        assert look(again, site) == []
        assert {c.REWIND.opcode, c.LOAD_UNLOAD.opcode, c.READ.opcode}.isdisjoint(commands)
        assert commands
    drives.open_drive(url.replace("/tape", "/another"), {}, writable=True).close()
    (site.root / "tape").unlink()
    (site.root / "tape").symlink_to("another")
    assert look(attending, site)[0] == Happened("rdx", "in", "", "blank")


def test_a_blank_one_exchanged_for_another_ones_cartridge_is_judged(site: Site) -> None:
    attending = attendant(site)
    site.put_in("WED-1")
    assert look(attending, site)[0] == Happened("rdx", "in", "", "blank")
    site.put_in("MON-1")
    assert look(attending, site) == [Happened("rdx", "in", "MON-1"), ("office", 3, False, "")]


def test_the_cartridge_that_a_waiting_rest_wants_starts_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other one does: what is put in for the coming night is judged as ever."""
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(install, "installed", lambda _root, job: [Path(job)])
    site = Site(tmp_path, 16 << 20, OPTIONS | {"time": "21:30"}, {
        "scheme": "round-robin", "pool": "daily", "cartridges": ["A-1", "A-2", "A-3"], "reuse": "overwrite",
    })  # fmt: skip
    (site.source / "file").write_bytes(random.Random(1).randbytes(10_000_000))
    site.put_in("A-1")
    assert site.run().outcome is Outcome.SPOOLED
    site.put_in(None)
    site.now += timedelta(hours=10)
    starts = Starts()
    attending = attendant(site, starts)
    look(attending, site)
    site.put_in("A-1")
    assert [each[2] for each in look(attending, site) if not isinstance(each, Happened)] == [False]
    assert starts.jobs == []
    site.put_in("A-2")
    assert look(attending, site)[-1] == ("office", 0, True, "")
    assert starts.jobs == ["office"]
    assert site.run().outcome is Outcome.CLEAN
