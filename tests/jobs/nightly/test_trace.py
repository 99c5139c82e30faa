"""What a killed run leaves is known to the next."""

from pathlib import Path

import pytest

from tapekit.jobs.nightly.trace import Trace


def test_a_run_that_ended_leaves_nothing(tmp_path: Path) -> None:
    trace = Trace(tmp_path, "office", "2026-11-23")
    assert trace.left_over() is None
    trace.step("write")
    trace.end()
    assert Trace(tmp_path, "office", "2026-11-24").left_over() is None
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_its_last_step_and_what_it_made(tmp_path: Path) -> None:
    trace = Trace(tmp_path, "office", "2026-11-23")
    trace.step("dump")
    trace.making(tmp_path / "dump")
    trace.snapshot(there=True)
    trace.step("write")
    left = Trace(tmp_path, "office", "2026-11-24").left_over()
    assert left is not None
    assert (left.night, left.step, left.made, left.snapshot) == ("2026-11-23", "write", (f"{tmp_path}/dump",), True)
    assert Trace(tmp_path, "other", "2026-11-24").left_over() is None


@pytest.mark.parametrize("content", (b"", b"{", b"[]", b'{"made": []}', b"\xff"))
def test_a_torn_trace_still_tells_that_a_run_was_killed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "office.running").write_bytes(content)
    left = Trace(tmp_path, "office", "2026-11-24").left_over()
    assert left is not None
    assert left.made == ()


def test_a_trace_that_cannot_be_kept_is_a_problem_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    trace = Trace(tmp_path / "state", "office", "2026-11-23")
    trace.step("write")
    trace.end()
    assert "office.running" in trace.problem
