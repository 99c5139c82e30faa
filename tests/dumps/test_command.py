import os
import sys
import time
from pathlib import Path

import pytest

from tapekit.dumps.command import KEPT_BYTES, environment, run
from tapekit.dumps.errors import CommandFailed, TimedOut, ToolMissing


def has_ended(pid: int) -> bool:
    """Whether a process ends soon: one that was killed takes a moment. A zombie has ended."""
    for _ in range(1000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_command_sees_what_the_night_is(tmp_path: Path) -> None:
    values = environment("nightly", "2026-11-24", "clean", cartridge="TUE-1")
    script = 'echo "$TAPEKIT_JOB $TAPEKIT_NIGHT $TAPEKIT_OUTCOME $TAPEKIT_CARTRIDGE $PWD"; echo oops >&2'
    ended = run(("sh", "-c", script), 60, values, tmp_path)
    assert ended.output.split() == ["nightly", "2026-11-24", "clean", "TUE-1", str(tmp_path), "oops"]


def test_no_shell_reads_the_arguments() -> None:
    assert run(("echo", "$HOME; `id` *"), 60).output == "$HOME; `id` *"


def test_a_failure_is_told_with_the_end_of_the_output() -> None:
    with pytest.raises(CommandFailed, match="sh: failed: exit code 3") as caught:
        run(("sh", "-c", "echo no room >&2; exit 3"), 60)
    assert caught.value.hint == "no room"


def test_a_command_that_is_killed() -> None:
    with pytest.raises(CommandFailed, match="killed by SIGKILL"):
        run(("sh", "-c", "kill -9 $$"), 60)


@pytest.mark.parametrize("command", ("/no/such/program", "/etc/passwd"))
def test_a_command_that_is_none(command: str) -> None:
    with pytest.raises(ToolMissing, match="not started"):
        run((command,), 60)


def test_only_the_end_of_a_long_output_is_kept() -> None:
    ended = run((sys.executable, "-c", "print('x' * 10_000_000); print('end')"), 60)
    assert ended.output.endswith("end")
    assert len(ended.output) <= KEPT_BYTES


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! >{pids}; echo $$ >>{pids}; wait"
    with pytest.raises(TimedOut, match="too slow"):
        run(("sh", "-c", script), 0.5)
    assert all(has_ended(int(pid)) for pid in pids.read_text().split())


def test_a_command_that_ignores_the_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapekit.dumps.command._END_S", 0.2)
    pids = tmp_path / "pids"
    with pytest.raises(TimedOut):
        run(("sh", "-c", f"trap '' TERM; echo $$ >{pids}; while :; do sleep 1; done"), 0.5)
    assert has_ended(int(pids.read_text()))


def test_a_command_that_forks_into_the_background_holds_nothing_up(tmp_path: Path) -> None:
    """What stays behind has the standard output open; it is ended, and nobody waits for it."""
    pids = tmp_path / "pids"
    assert run(("sh", "-c", f"sleep 1000 & echo $! >{pids}; echo done"), 60).output == "done"
    assert has_ended(int(pids.read_text()))


def test_nothing_is_asked_of_the_keyboard() -> None:
    assert run(("sh", "-c", "read line || echo none"), 60).output == "none"


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as output:
        assert run(("sh", "-c", "echo data; echo said >&2"), 60, output=output).output == "said"
    assert (tmp_path / "out").read_bytes() == b"data\n"
    assert not [name for name in os.listdir(tmp_path) if name != "out"]
