"""Each thing that spoils a night is found on a machine that has it, and on no other."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.sysfs import Tree
from tapekit.errors import Exit
from tapekit.jobs.doctor.finding import Finding, Gravity, exit_code
from tapekit.jobs.doctor.machine import Machine, examine

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A sound machine with a tape drive."""
    made = Tree(tmp_path)
    made.scsi("sg1", 1, "IBM", "ULTRIUM-HH6", "1", st="st0")
    made.host(256)
    return made


def findings(
    tree: Tree, *wanted: str, now: datetime = NOW, last: datetime | None = None, **answers: object
) -> list[Finding]:
    defaults: dict[str, Any] = {
        "release": "6.1.0-28-amd64", "may": lambda *_: True, "which": lambda name: f"/usr/bin/{name}",
        "is_synchronized": lambda: True, "process": 1,
    }  # fmt: skip
    return list(examine(Machine(tree.root, **{**defaults, **answers}), frozenset(wanted), now, last))


def bad(*args: Any, **answers: Any) -> list[tuple[Gravity, str, str]]:  # noqa: ANN401
    return [(it.gravity, it.kind, it.where) for it in findings(*args, **answers) if it.gravity is not Gravity.GOOD]


def test_a_sound_machine(tree: Tree) -> None:
    assert bad(tree) == []
    assert {it.kind for it in findings(tree)} == {"permission", "module", "kernel", "adapter", "clock", "tool"}


def test_nothing_connected(tmp_path: Path) -> None:
    assert bad(Tree(tmp_path)) == [(Gravity.NOTE, "device", "/sys")]


def test_a_missing_permission_is_a_problem_where_the_drive_is_used(tree: Tree) -> None:
    def may(path: str, _mode: int) -> bool:
        return not path.endswith("sg1")

    (finding,) = [it for it in findings(tree, may=may) if it.kind == "permission"]
    assert (finding.gravity, finding.where) == (Gravity.WARNING, "/dev/sg1")
    assert finding.to_do
    assert bad(tree, "/dev/nst0", may=may) == [(Gravity.PROBLEM, "permission", "/dev/sg1")]


def test_a_drive_without_its_drivers(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.scsi("sg1", 1, "HP", "Ultrium", "1")
    alone = tmp_path / "sys/bus/scsi/devices/2:0:0:0"
    alone.mkdir(parents=True)
    (alone / "type").write_text("8\n")
    assert bad(tree) == [(Gravity.PROBLEM, "module", "2:0:0:0"), (Gravity.WARNING, "module", "/dev/sg1")]


@pytest.mark.parametrize(
    ("release", "is_hit"),
    (("6.5.0", False), ("6.6.0", True), ("6.12.9+deb13", True), ("6.14.11", True), ("6.15.0", False), ("odd", False)),
)  # fmt: skip
def test_the_kernels_that_take_power_on_for_a_reset(tree: Tree, release: str, is_hit: bool) -> None:  # noqa: FBT001
    assert (bad(tree, release=release) == [(Gravity.NOTE, "kernel", release)]) is is_hit
    disk = Tree(tree.root / "other")
    disk.disk("sdb", is_removable=True)
    assert bad(disk, release=release) == []


@pytest.mark.parametrize(("tables", "sectors", "is_small"), ((64, "", False), (63, "", True), (256, "240", True)))
def test_an_adapter_through_which_no_block_passes(tmp_path: Path, tables: int, sectors: str, is_small: bool) -> None:  # noqa: FBT001
    tree = Tree(tmp_path)
    device = tree.scsi("sg1", 1, "HP", "Ultrium", "1", st="st0")
    tree.host(tables)
    if sectors:
        (device / "max_sectors").write_text(sectors)
    assert (bad(tree) == [(Gravity.WARNING, "adapter", "/dev/nst0")]) is is_small


def test_who_else_is_on_the_drive(tree: Tree) -> None:
    tree.process(1, "python3 -c doctor", "/dev/nst0")  # this one
    tree.process(7, "mt -f /dev/st0 status", "/dev/st0")
    tree.process(8, "/usr/bin/python3 /opt/bin/tapekit nightly office", "/dev/nst0", "/dev/sg1")
    tree.process(9, "vi", "/etc/passwd")
    tree.process(10, "bacula-sd", "/dev/sg1")
    told = [it for it in findings(tree) if it.kind == "competitor"]
    assert [(it.where, it.what) for it in told] == [
        ("/dev/sg1", "bacula-sd (process 10) has it open"), ("/dev/st0", "mt (process 7) has it open"),
    ]  # fmt: skip


def test_a_disk_that_is_mounted(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.disk("sdb", is_removable=True)
    tree.process(1, "init")
    (tmp_path / "proc/mounts").write_text(
        "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /media/x vfat rw 0 0\n/dev/sdbc1 /y ext4 rw\n"
    )
    (finding,) = [it for it in findings(tree) if it.kind == "competitor"]
    assert (finding.what, finding.to_do) == ("/dev/sdb1 is mounted on /media/x", "umount /media/x")


@pytest.mark.parametrize(
    ("now", "last", "kept", "expected"),
    (
        (NOW, NOW - timedelta(1), lambda: True, []),
        (NOW, None, lambda: False, [Gravity.WARNING]),
        (NOW, None, lambda: None, [Gravity.NOTE]),
        (datetime(2015, 1, 1, tzinfo=UTC), None, lambda: True, [Gravity.PROBLEM]),
        (NOW, NOW + timedelta(days=1), lambda: True, [Gravity.PROBLEM]),
    ),
)
def test_the_clock(
    tree: Tree, now: datetime, last: datetime | None, kept: Callable[[], bool | None], expected: list[Gravity]
) -> None:
    assert [gravity for gravity, _, _ in bad(tree, now=now, last=last, is_synchronized=kept)] == expected


def test_tools_are_no_condition(tree: Tree) -> None:
    told = findings(tree, which=lambda _name: None)
    assert [it.where for it in told if it.gravity is Gravity.NOTE] == ["zstd", "mt", "sg_logs", "mtx"]
    assert exit_code(told) == Exit.DONE


def test_the_worst_is_the_exit_code() -> None:
    made = [Finding(gravity, "", "", "") for gravity in Gravity]
    assert [exit_code(made[:count]) for count in range(5)] == [0, 0, 0, 3, 4]


def test_this_machine_can_be_examined() -> None:
    """Whatever it is: nothing raises, and this process is no competitor of itself."""
    assert all(f"process {os.getpid()}" not in it.what for it in examine(Machine(), frozenset(), NOW, None))
