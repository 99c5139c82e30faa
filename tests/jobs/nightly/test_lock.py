"""One run per drive, whatever happens to the run before."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapekit.errors import Busy, Exit
from tapekit.jobs.nightly.lock import locked

RUN_LOCKS = Path("/run/lock")
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
    with pytest.raises(Busy, match=held) as refusal, locked(tmp_path, ["image:a"], "job two", 3, slept.append):
        pytest.fail("the lock was held")
    assert (refusal.value.exit_code, len(slept)) == (Exit.BUSY, 3)
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


@pytest.mark.skipif(not os.access(RUN_LOCKS, os.W_OK), reason="this user may not write to /run/lock")
def test_a_state_that_cannot_be_written_keeps_no_night_from_running(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    locks, drive = tmp_path / "file" / "locks", f"image:{tmp_path}"
    before = set(RUN_LOCKS.iterdir())
    with locked(locks, [drive], "job", 0), pytest.raises(Busy), locked(locks, [drive], "other", 0):
        pytest.fail("the lock was held")
    for made in set(RUN_LOCKS.iterdir()) - before:
        made.unlink()
