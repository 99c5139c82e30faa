"""The benchmark measures what it says, and fails on wrong results alone."""

import fcntl
import json
import os
import sys
from pathlib import Path

import pytest

from tools.benchmarks import archive, cli, contenders, data
from tools.benchmarks.measure import Command, measure, run_unmeasured

MIB = 2**20

# Stands for tapekit: `image:FILE` is a tar of the root's paths.
FAKE = """
import pathlib, subprocess, sys
command, image, *rest = sys.argv[2:]
image = image.removeprefix("image:")
if command == "label":
    pathlib.Path(image).touch()
elif command == "backup":
    subprocess.run(["tar", "-cPf", image, rest[0]], check=True)
elif command == "restore":
    subprocess.run(["tar", "-xf", image, "-C", rest[1]], check=True, stderr=subprocess.DEVNULL)
    if sys.argv[1] == "forgetful":
        next(path for path in pathlib.Path(rest[1]).rglob("*") if path.is_file()).unlink()
elif sys.argv[1] == "damaged":
    sys.exit("verify: block 7: damaged")
"""


def run(behaviour: str, monkeypatch: pytest.MonkeyPatch, directory: Path) -> int:
    def fake(*arguments: str) -> Command:
        if arguments == ("--version",):
            return Command(["true"])
        return Command([sys.executable, "-c", FAKE, behaviour, *arguments])

    for module in (archive, contenders):
        monkeypatch.setattr(module, "tapekit", fake)
    wanted = (*archive.OURS, contenders.TAR)
    monkeypatch.setattr(archive, "CONTENDERS", [each for each in contenders.CONTENDERS if each.name in wanted])
    monkeypatch.setattr(archive, "QUICK_LARGE_BYTES", MIB)
    monkeypatch.setattr(archive, "QUICK_SMALL_FILES", 30)
    monkeypatch.setattr(data, "POOL_BYTES", MIB)
    arguments = [
        "--quick",
        "--rounds=2",
        f"--dir={directory / 'data'}",
        f"--json={directory / 'found.json'}",
        "archive",
    ]
    return cli.main(arguments)


def test_right_results_pass_however_slow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(archive, "PEAK_BYTES", 1)
    assert run("right", monkeypatch, tmp_path) == 0
    assert "SHORT" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())["suites"][0]
    assert found["wrong"] == []
    steps = {(sample["contender"], sample["step"]) for sample in found["samples"]}
    assert steps == {
        *((name, step) for name in archive.OURS for step in ("backup", "verify", "restore")),
        ("tar", "backup"),
        ("tar", "restore"),
        ("sha256, one core", "hash"),
    }
    assert len(found["samples"]) == len(steps) * 2 * 2  # data sets, rounds
    assert sorted(path.name for path in (tmp_path / "data").iterdir() if path.is_dir()) == [
        "large-file-1-MiB",
        "small-files-30",
    ]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    (("forgetful", "restored files are not those"), ("damaged", "verify: block 7: damaged")),
)
def test_wrong_results_fail(
    behaviour: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(behaviour, monkeypatch, tmp_path) == 1
    assert said in " ".join(capsys.readouterr().out.split())


def test_two_runs_do_not_share_a_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    held = os.open(tmp_path / "data", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert run("right", monkeypatch, tmp_path) == 2
    assert "another run is using it" in capsys.readouterr().err
    assert list((tmp_path / "data").iterdir()) == []
    os.close(held)


def test_data_is_kept_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "POOL_BYTES", MIB)
    made = data.small_files(tmp_path, 30)
    first = next(path for path in made.path.rglob("*") if path.is_file())
    inode = first.stat().st_ino
    assert data.small_files(tmp_path, 30) == made
    assert first.stat().st_ino == inode
    first.write_bytes(b"changed")
    assert data.small_files(tmp_path, 30) == made
    assert first.read_bytes() != b"changed"


def test_a_command_is_measured() -> None:
    def holding(size_bytes: int) -> Command:
        return Command([sys.executable, "-c", f"import sys; x = b'x' * {size_bytes}; sys.exit('why' * 2)"])

    cost = measure(holding(100 * MIB))
    assert 98 * MIB < cost.peak_bytes - measure(holding(1)).peak_bytes < 105 * MIB
    assert cost.exit_code == 1
    assert cost.message == "whywhy"
    assert 0 < cost.cpu_s < cost.wall_s * 2


def test_the_measuring_process_takes_no_part_in_the_peak() -> None:
    ballast = b"x" * 200 * MIB
    assert measure(Command(["true"])).peak_bytes < 50 * MIB
    del ballast


def test_a_missing_program_is_named() -> None:
    said = run_unmeasured(Command(["no-such-program"]))
    # An ordinary user may not even look into some directories of the PATH.
    assert said in {"no-such-program: No such file or directory", "no-such-program: Permission denied"}
    assert run_unmeasured(Command(["true"])) is None
