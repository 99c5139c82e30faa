"""Backups that do not come to their end: a full medium, a signal, a crash, a second run, a drive that fails."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Drive
from drivers.errors import Busy, DeviceFailure, DriveError, MediumError
from formats.segment import ABORTED, COMPLETE, INCOMPLETE
from tapekit.cartridge.catalog import CatalogBuilder
from tapekit.errors import Exit, MediumFull, Stopped, TapekitError, exit_code
from tapekit.jobs import backup, inspect
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.segments import Segments
from tapekit.progress import Silent
from tapekit.source import walk
from tests.jobs.cartridges import Image, evidences, new_image, request, restored

REPOSITORY = Path(__file__).parents[2]
MEMBER_BYTES = 300_000


@pytest.fixture
def cartridge(tmp_path: Path) -> Image:
    """Room for the source twice."""
    return new_image(tmp_path / "cartridge.tkc", 40 << 20, 64 << 10)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """24 files of incompressible bytes, 7 MB in all."""
    (tmp_path / "source").mkdir()
    for number in range(24):
        (tmp_path / "source" / f"{number:02}").write_bytes(os.urandom(MEMBER_BYTES))
    return tmp_path / "source"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "file").write_text("saved before\n")
    return tmp_path / "small"


def states(cartridge: Image) -> list[str]:
    with cartridge.drive() as drive:
        return [archive.segment.state for archive in inspect.run(drive, evidences()).archives]


def names(cartridge: Image) -> list[str]:
    with cartridge.drive() as drive:
        return [archive.segment.archive for archive in inspect.run(drive, evidences()).archives]


def whole_members(cartridge: Image, archive: str, source: Path, to: Path) -> int:
    """Restore an archive; how many files came back, each of them the same."""
    cartridge.restore(to, archive=archive)
    below = restored(to, source)
    for path in below.iterdir():
        assert path.read_bytes() == (source / path.name).read_bytes(), path
    return len(list(below.iterdir()))


def check_earlier(cartridge: Image, small: Path, to: Path) -> None:
    archive = names(cartridge)[0]
    assert cartridge.verify(archive).ok
    cartridge.restore(to, archive=archive)
    assert (restored(to, small) / "file").read_text() == "saved before\n"


# --- a full medium ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block_bytes", (4096, 64 << 10, 512 << 10))
def test_full_in_the_middle(tmp_path: Path, source: Path, small: Path, block_bytes: int) -> None:
    cartridge = new_image(tmp_path / "full.tkc", 11 << 20, block_bytes)
    cartridge.back_up(small)
    with pytest.raises(MediumFull, match="can be restored; the rest was not saved") as raised:
        cartridge.back_up(source)
    assert exit_code(raised.value) == Exit.END_OF_MEDIUM
    assert states(cartridge) == [COMPLETE, ABORTED]
    assert cartridge.verify().ok
    assert 5 < whole_members(cartridge, names(cartridge)[1], source, tmp_path / "to") < 24
    check_earlier(cartridge, small, tmp_path / "earlier")
    with pytest.raises(MediumFull):
        cartridge.back_up(source)
    assert cartridge.verify().ok


@pytest.mark.parametrize("compression", ("none", "zstd"))
def test_a_cartridge_is_really_filled(tmp_path: Path, source: Path, compression: str) -> None:
    """Up to the drive's early warning, whatever waits in buffers."""
    for number in range(24, 54):
        (source / f"{number:02}").write_bytes(os.urandom(2 << 20) + bytes(MEMBER_BYTES))
    cartridge = new_image(tmp_path / "full.tkc", 64 << 20, 1 << 20)
    with pytest.raises(MediumFull):
        cartridge.back_up(source, compression=compression)
    with cartridge.drive() as drive:
        medium = drive.medium()
    assert medium.remaining_bytes < medium.capacity_bytes * 0.07 + (2 << 20)
    assert cartridge.verify().ok


class WaitingWriter:
    """A writer that has room only once what is on its way has been written."""

    early_warning = False

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = 0
        self._room_after_bytes = room_bytes

    def room_bytes(self, _more_bytes: int) -> int:
        return self._room_bytes

    def drain(self) -> None:
        self._room_bytes = self._room_after_bytes


def test_what_is_on_its_way_does_not_make_a_medium_full() -> None:
    run: Any = Segments.__new__(Segments)
    run.builder, run._earlier, run._header_copy = CatalogBuilder(4000), [], None
    run._is_ending, run._shape = False, None
    with run.builder:
        for room_bytes, is_full in ((1 << 20, False), (1000, True)):
            run._writer = WaitingWriter(room_bytes)
            assert run._is_full() is is_full


def test_nothing_is_begun_without_room(tmp_path: Path, source: Path) -> None:
    cartridge = new_image(tmp_path / "full.tkc", 11 << 20, 64 << 10)
    for _ in range(20):
        with pytest.raises(MediumFull):
            cartridge.back_up(source)
        if len(set(states(cartridge))) == 1 and cartridge_is_full(cartridge, source):
            break
    else:
        pytest.fail("every backup leaves another archive without members")
    assert cartridge.verify().ok


def cartridge_is_full(cartridge: Image, source: Path) -> bool:
    before = cartridge.path.read_bytes()
    with pytest.raises(MediumFull, match=r"nothing was written|rest was not saved"):
        cartridge.back_up(source)
    return cartridge.path.read_bytes() == before


def test_many_members_fill_a_cartridge_with_their_catalog(tmp_path: Path) -> None:
    """Room for the catalog is kept while it grows."""
    (tmp_path / "many").mkdir()
    for number in range(9000):
        (tmp_path / "many" / f"{number:05}-{os.urandom(60).hex()}").touch()
    cartridge = new_image(tmp_path / "full.tkc", 9 << 20, 4096)
    with pytest.raises(MediumFull):
        cartridge.back_up(tmp_path / "many")
    assert states(cartridge) == [ABORTED]
    assert cartridge.verify().ok


@pytest.fixture
def little_room(tmp_path: Path) -> Iterator[Path]:
    """A file system of 9 MiB."""
    place = tmp_path / "little"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=9m", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs root, to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("size_bytes", (6308352, 8 << 20, 12 << 20))
def test_the_smallest_media_take_an_archive(size_bytes: int, tmp_path: Path, small: Path) -> None:
    """Whatever can be labelled is of use: its blocks are small enough."""
    cartridge = new_image(tmp_path / "image.tkc", size_bytes, block_bytes=None)
    assert cartridge.back_up(small).state == COMPLETE
    check_earlier(cartridge, small, tmp_path / "earlier")


def test_a_full_file_system_under_an_image(little_room: Path, tmp_path: Path, source: Path, small: Path) -> None:
    cartridge = new_image(little_room / "image.tkc", 64 << 20, 64 << 10)
    cartridge.back_up(small)
    (little_room / "in-the-way").write_bytes(bytes(3 << 20))
    with pytest.raises(DriveError, match="no space left") as raised:
        cartridge.back_up(source)
    assert exit_code(raised.value) == Exit.FAILED
    assert "make room" in str(raised.value.hint)
    assert "incomplete" in str(raised.value.hint)
    check_earlier(cartridge, small, tmp_path / "earlier")
    (little_room / "in-the-way").unlink()
    cartridge.back_up(small)
    assert states(cartridge) == [COMPLETE, INCOMPLETE, COMPLETE]
    check_earlier(cartridge, small, tmp_path / "again")


def test_a_full_file_system_under_the_target(little_room: Path, tmp_path: Path, source: Path) -> None:
    cartridge = new_image(tmp_path / "image.tkc", 32 << 20, 64 << 10)
    (source / "99").write_bytes(os.urandom(6 << 20))
    cartridge.back_up(source)
    with pytest.raises(TapekitError, match="target: no space left") as raised:
        cartridge.restore(little_room / "to")
    assert exit_code(raised.value) == Exit.FAILED
    for path in restored(little_room / "to", source).iterdir():
        assert path.read_bytes() == (source / path.name).read_bytes()


# --- signals ---------------------------------------------------------------------------------------------------------

STOPPED = """
import os, signal, sys
sys.path.insert(0, {repository!r})
from tapekit.cli import main
from tapekit.jobs import backup
from tapekit.source import walk

def acting(sources, options):
    for thing in walk.walk(sources, options):
        if thing.path.endswith({at!r}):
            {act}
        yield thing

backup.walk = acting
sys.argv = ["tapekit", "backup", {url!r}, {source!r}, "--compression", "none"]
main.main()
"""


def run_stopped(cartridge: Image, source: Path, act: str, at: bytes = b"/12") -> "subprocess.CompletedProcess[str]":
    """A backup in a process of its own that something happens to when it comes to a file."""
    program = STOPPED.format(repository=str(REPOSITORY), url=cartridge.url, source=str(source), act=act, at=at)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ("SIGINT", "SIGTERM", "SIGHUP"))
def test_a_signal_ends_the_archive_in_order(
    tmp_path: Path, cartridge: Image, source: Path, small: Path, name: str
) -> None:
    cartridge.back_up(small)
    done = run_stopped(cartridge, source, f"os.kill(os.getpid(), signal.{name})")
    assert done.returncode == Exit.FAILED
    assert f"stopped by {name}" in done.stderr
    assert "marked as aborted" in done.stderr
    assert "13 members" in done.stderr  # the directory, and 00 to 11
    assert "Traceback" not in done.stderr
    assert states(cartridge) == [COMPLETE, ABORTED]
    assert cartridge.verify().ok
    assert whole_members(cartridge, names(cartridge)[1], source, tmp_path / "to") == 12
    cartridge.back_up(small)
    assert states(cartridge) == [COMPLETE, ABORTED, COMPLETE]
    check_earlier(cartridge, small, tmp_path / "earlier")


def test_two_interrupts_end_it_at_once_and_in_order(cartridge: Image, source: Path) -> None:
    twice = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    done = run_stopped(cartridge, source, twice)
    assert done.returncode == Exit.FAILED
    assert "Traceback" not in done.stderr
    assert states(cartridge) == [ABORTED]


def test_a_crash_leaves_an_incomplete_archive(tmp_path: Path, cartridge: Image, source: Path, small: Path) -> None:
    cartridge.back_up(small)
    # By the last file more was read than the buffers hold: the drive has some of it.
    done = run_stopped(cartridge, source, "os.kill(os.getpid(), signal.SIGKILL)", b"/23")
    assert done.returncode == -signal.SIGKILL
    assert states(cartridge) == [COMPLETE, INCOMPLETE]
    assert not cartridge.verify().ok
    check_earlier(cartridge, small, tmp_path / "earlier")
    cartridge.back_up(small)
    assert states(cartridge) == [COMPLETE, INCOMPLETE, COMPLETE]
    crashed = names(cartridge)[1]
    assert 0 < whole_members(cartridge, crashed, source, tmp_path / "to") <= 23
    check_earlier(cartridge, small, tmp_path / "again")
    assert cartridge.verify("latest").ok


def test_a_signal_outside_the_main_thread_changes_nothing() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        stop.check()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped, match="SIGTERM"):
            stop.check()
    assert signal.getsignal(signal.SIGTERM) is before


# --- two at once, and drives that fail -------------------------------------------------------------------------------


def test_two_runs_at_once(cartridge: Image, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = []

    def acting(sources: walk.Sources, options: walk.Options) -> Iterator[walk.Thing]:
        for thing in walk.walk(sources, options):
            for second in (lambda: cartridge.back_up(small), cartridge.verify):
                with pytest.raises(Busy) as raised:
                    second()
                errors.append(exit_code(raised.value))
            yield thing

    monkeypatch.setattr(backup, "walk", acting)
    cartridge.back_up(small)
    assert errors == [Exit.BUSY] * 4
    assert cartridge.verify().ok


class FailingDrive:
    """A drive that fails at the n-th block it is given."""

    def __init__(self, drive: Drive, at: int, error: Callable[[], Exception]) -> None:
        self._drive = drive
        self._left = at
        self._error = error

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        self._left -= 1
        if self._left < 0:
            raise self._error()
        return self._drive.write_block(block)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the drive has
        return getattr(self._drive, name)


@pytest.mark.parametrize("at", (0, 1, 50))
@pytest.mark.parametrize(
    "error", (lambda: MediumError("drive: block 7 cannot be written", 3, 7), lambda: DeviceFailure("drive: gone"))
)
def test_an_error_while_writing(
    tmp_path: Path, cartridge: Image, source: Path, small: Path, at: int, error: Callable[[], Exception]
) -> None:
    cartridge.back_up(small)
    with cartridge.drive(writable=True) as drive:
        failing: Any = FailingDrive(drive, at, error)
        with pytest.raises(DriveError, match="drive: ") as raised:
            backup.run(failing, request(source), Silent(), evidences())
    assert exit_code(raised.value) == Exit.FAILED
    assert "is incomplete" in str(raised.value.hint)
    check_earlier(cartridge, small, tmp_path / "earlier")
    cartridge.back_up(source)
    assert states(cartridge) == [COMPLETE, *([INCOMPLETE] if at else []), COMPLETE]
    assert whole_members(cartridge, "latest", source, tmp_path / "to") == 24


def test_threads_end_with_the_run(cartridge: Image, source: Path) -> None:
    import threading  # noqa: PLC0415

    with cartridge.drive(writable=True) as drive:
        failing: Any = FailingDrive(drive, 3, lambda: DeviceFailure("drive: gone"))
        with contextlib.suppress(DriveError):
            backup.run(failing, request(source), Silent(), evidences())
    assert [thread.name for thread in threading.enumerate() if "blocks" in thread.name] == []
