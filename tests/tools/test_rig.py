"""The rig says what it needs, without booting anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RIG = Path(__file__).parents[2] / "tools" / "rig"


def rig(*arguments: str, **environment: str) -> tuple[int, str]:
    run = subprocess.run(
        [RIG, *arguments], check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return run.returncode, run.stderr


@pytest.mark.parametrize("arguments", (("--limit", "soon"), ("--limit",), ("--limit", "0"), ("--quick",)))
def test_wrong_options_are_refused(arguments: tuple[str, ...]) -> None:
    assert rig(*arguments) == (2, "rig: usage: tools/rig [--limit SECONDS] [--record] [--] [COMMAND [ARGUMENT...]]\n")


def test_missing_programs_are_named_by_their_packages(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    status, said = rig(PATH=str(tmp_path))
    assert status == 77
    assert said.startswith("rig: not installed: qemu-system-x86 busybox-static cpio")
    assert "apt-get install qemu-system-x86" in said


@pytest.mark.skipif(os.geteuid() == 0 or not shutil.which("qemu-system-x86_64"), reason="needs to be no root, and QEMU")
def test_without_root_it_is_skipped() -> None:
    status, said = rig()
    assert (status, said.split(":")[1]) == (77, " needs root")
