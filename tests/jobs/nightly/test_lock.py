"""One run per drive, whatever happens to the run before."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapekit.errors import Busy, Exit
from tapekit.jobs.nightly.lock import locked, locked_where_free

HOLDER = """
import sys, time
from pathlib import Path
from tapekit.jobs.nightly.lock import locked
with locked(Path(sys.argv[1]), ["image:a"], "job one", 0):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def other(tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Another process that holds the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_run_waits_and_then_says_who_is_there(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    slept: list[float] = []
    held = rf"image:a: in use by job one \(process {other.pid}, since 20"
    told: list[str] = []
    with (
        pytest.raises(Busy, match=held) as refusal,
        locked(tmp_path, ["image:a"], "job two", 3, slept.append, told.append),
    ):
        pytest.fail("the lock was held")
    assert (refusal.value.exit_code, len(slept), len(told)) == (Exit.BUSY, 3, 1)
    assert told[0] in str(refusal.value)
    with locked(tmp_path, ["image:b"], "job two", 0):  # another drive is free
        pass


def test_the_lock_of_a_killed_run_is_taken_over(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    def kill(_seconds: float) -> None:
        other.kill()
        other.wait()

    with locked(tmp_path, ["image:a"], "job two", 5, kill):
        (file,) = tmp_path.glob("*.lock")
        assert json.loads(file.read_text())["run"] == "job two"


def test_a_drive_named_twice_is_locked_once(tmp_path: Path) -> None:
    with locked(tmp_path, ["image:a", "image:a"], "job", 0):
        pass


def test_a_state_that_cannot_be_written_keeps_no_night_from_running(tmp_path: Path) -> None:
    """Nor lets two of them onto one drive."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "locks").write_text("in the way")
    locks = tmp_path / "state" / "locks" / "here"
    with locked(locks, ["image:a", "image:b"], "job", 0), pytest.raises(Busy), locked(locks, ["image:b"], "other", 0):
        pytest.fail("the lock was held")
    with locked(locks, ["image:b"], "other", 0):
        pass


def test_a_lock_that_cannot_be_written_any_more_still_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, mode)

    with locked(tmp_path, ["image:a"], "job", 0):
        monkeypatch.setattr(os, "open", read_only)
        with pytest.raises(Busy, match="in use by job"), locked(tmp_path, ["image:a"], "other", 0):
            pytest.fail("the lock was held")


def test_one_drive_has_one_lock_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to(tmp_path / "sdb")
    first, second = (f"disk:{tmp_path / name}" for name in ("sdb", "by-id"))
    with locked(tmp_path, [first], "job", 0), pytest.raises(Busy), locked(tmp_path, [second], "other", 0):
        pytest.fail("the lock was held")
    with locked(tmp_path, [first, second], "job", 0):
        pass


def test_what_comes_free_is_held_and_the_others_are_told(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    slept: list[float] = []
    with locked_where_free(tmp_path, "two", ["image:a", "image:b"], 2, slept.append) as busy:
        assert (list(busy), len(slept)) == (["image:a"], 2)
        with pytest.raises(Busy), locked(tmp_path, ["image:b"], "job three", 0):
            pytest.fail("the lock was held")
        with pytest.raises(Busy, match="in use by job two"), locked_where_free(tmp_path, "two", ["image:c"], 0):
            pytest.fail("the job runs")
