"""Every device is an answer: what is in it, what may be done with it, and what is lacking."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import discover, image
from drivers.base import Drive, Identity
from drivers.errors import Busy, DeviceFailure, NoMedium
from drivers.tape import virtual
from drivers.tape.glance import Glance, Inside
from fixtures.sysfs import Tree
from tapekit import drives
from tapekit.jobs import devices
from tapekit.jobs.devices import Seen
from tapekit.jobs.nightly.lock import locked
from tests.jobs.nightly.site import Site

Open = Callable[..., Drive]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path / "machine")
    made.disk("sdb", is_removable=True, vendor="TANDBERG", model="RDX", size=1 << 15)
    return made


def look(tree: Tree, state: Path, monkeypatch: pytest.MonkeyPatch, opening: Open | Exception | Path) -> Seen:
    """The one device of a machine, where opening it gives this."""

    def open_drive(url: str, named: dict[str, str], *, writable: bool) -> Drive:
        assert (url, writable) == ("rdx:/dev/sdb", False)
        if isinstance(opening, Exception):
            raise opening
        assert isinstance(opening, Path)
        return image.open_drive(str(opening), writable=False)

    monkeypatch.setattr(drives, "open_drive", open_drive)
    (seen,) = devices.run(state, root=tree.root)
    return seen


def test_a_cartridge_and_what_may_be_done(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "site")
    site.put_in("MON-1")
    site.run()
    seen = look(tree, tmp_path, monkeypatch, site.drive)
    assert (seen.medium, seen.label, seen.words) == ("cartridge", "MON-1", "")
    assert seen.may == ("backup", "verify", "list", "restore", "eject")
    assert 0 < seen.remaining_bytes < seen.capacity_bytes


def test_blank_and_foreign(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    medium = tmp_path / "medium"
    image.create(str(medium), 16 << 20)
    seen = look(tree, tmp_path, monkeypatch, medium)
    assert (seen.medium, seen.may) == ("blank", ("label", "eject"))
    with medium.open("r+b") as file:
        file.write(b"somebody's data" * 100)
    seen = look(tree, tmp_path, monkeypatch, medium)
    assert (seen.medium, seen.may) == ("foreign", ("eject", "label --destroy"))
    assert "not a tapekit cartridge" in seen.words
    medium.chmod(0o400)
    monkeypatch.setattr("os.access", lambda path, mode: path != str(medium))
    assert look(tree, tmp_path, monkeypatch, medium).may == ("eject",)


@pytest.mark.parametrize(
    ("error", "medium", "words"),
    (
        (Busy("rdx:/dev/sdb: mounted"), "in use", "rdx:/dev/sdb: mounted"),
        (NoMedium("rdx:/dev/sdb: no cartridge"), "nothing", ""),
        (DeviceFailure("rdx:/dev/sdb: gone"), "", "rdx:/dev/sdb: gone"),
    ),
)
def test_what_goes_wrong_is_an_answer(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, medium: str, words: str
) -> None:
    seen = look(tree, tmp_path, monkeypatch, error)
    assert (seen.medium, seen.words, seen.may) == (medium, words, ())


def test_a_drive_that_a_night_uses_is_left_alone(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with locked(tmp_path / "locks", ["rdx:/dev/sdb"], "night of office", 0):
        seen = look(tree, tmp_path, monkeypatch, AssertionError("opened"))
    assert seen.medium == "in use"
    assert "night of office" in seen.words


def test_an_empty_dock_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path)
    tree.disk("sdb", is_removable=True)
    seen = look(tree, tmp_path, monkeypatch, AssertionError("opened"))
    assert (seen.medium, seen.may) == ("nothing", ())


def test_without_permission_nothing_may_be_done(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "missing", lambda device, root: discover.Missing("/dev/sdb", "disk"))
    seen = look(tree, tmp_path, monkeypatch, AssertionError("opened"))
    assert seen.may == ()
    assert seen.missing is not None
    assert seen.missing.remedy == "usermod -aG disk USER, and log in again"


def test_changes(tree: Tree, tmp_path: Path) -> None:
    before = devices.run(tmp_path, is_looking=False, root=tree.root)
    tree.port("ttyUSB0", "usb2", "FTDI", "FT232R", "A1")
    (tree.root / "sys/block/sdb").unlink()
    now = devices.run(tmp_path, is_looking=False, root=tree.root)
    assert [(change.what, change.seen.device.node) for change in devices.changes(before, now)] == [
        ("went", "/dev/sdb"), ("came", "/dev/ttyUSB0"),
    ]  # fmt: skip
    assert devices.changes(now, now) == []
    other = [Seen(before[0].device, before[0].url, "cartridge", "MON-1")]
    assert [change.what for change in devices.changes(before, other)] == ["changed"]


def test_what_is_offered_for_a_configuration(tree: Tree) -> None:
    tree.scsi("sg1", 1, "HP", "Ultrium", "HU1", st="st0")
    tree.scsi("sg2", 8, "HP", "MSL", "M1")
    assert [seen.url for seen in devices.offered(tree.root)] == ["rdx:/dev/sdb", "tape:/dev/nst0"]


def test_a_tape_is_opened_only_where_another_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening winds it to its beginning, and somebody may be at work with it; nothing is loaded or waited for."""
    now, opened = [Glance(Identity("/dev/sg1"), Inside.NOT_NOW)], list[str]()
    tape = discover.Device(discover.Kind.TAPE, "/dev/nst0", ("/dev/nst0",), "", "", "")

    def open_drive(url: str, _: object, *, writable: bool) -> Drive:
        opened.append(url)
        return virtual.open_drive(f"{tmp_path}/tape?generation=6&capacity=16M", writable=writable)

    monkeypatch.setattr(discover, "devices", lambda _: [tape])
    monkeypatch.setattr(discover, "missing", lambda *_, **__: None)
    monkeypatch.setattr(drives, "glance", lambda _: now[0])
    monkeypatch.setattr(drives, "open_drive", open_drive)
    seen = devices.run(tmp_path)
    assert (seen[0].words, seen[0].medium, opened) == ("the drive is not ready", "", [])
    now[0] = dataclasses.replace(now[0], inside=Inside.LOADED, key="S1")
    for _ in range(3):
        seen = devices.run(tmp_path, before=seen)
        assert (seen[0].medium, len(opened)) == ("blank", 1)
    now[0] = dataclasses.replace(now[0], key="S2")
    assert (devices.run(tmp_path, before=seen)[0].key, len(opened)) == ("S2", 2)
    now[0] = dataclasses.replace(now[0], inside=Inside.NOTHING)
    assert (devices.run(tmp_path, before=seen)[0].medium, len(opened)) == ("nothing", 2)
