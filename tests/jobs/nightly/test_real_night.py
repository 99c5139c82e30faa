"""A night as the timer starts it: by the unit's command line, of a real directory and database, on a block device."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import loop
from fixtures.compare import rsync_differences
from fixtures.judges import need
from fixtures.postgresql import PASSWORD, Server, running

SOURCE = Path("/etc")
"""What every machine has, with links, owners and modes of all kinds."""
PROGRAM = str(Path(sys.executable).with_name("tapekit"))
SIZE_BYTES = 256 << 20
ROWS = "COPY (SELECT n, what FROM sold ORDER BY n) TO STDOUT"


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(params=(512, 4096))
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if not loop.available():
        pytest.skip("needs root, losetup and the kernel's loop devices")
    image = tmp_path / "medium"
    with image.open("wb") as file:
        file.truncate(SIZE_BYTES)
    with loop.loop_device(image, request.param) as name:
        yield name


def configured(folder: Path, device: str, server: Server) -> Path:
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    path = folder / "tapekit.toml"
    path.write_text(f"""
[site]
name = "Pharmacie du Port"
language = "fr"
state = "{folder}/state"
[drives]
usb = "disk:{device}"
[pools]
daily = {{ retention = "6 days" }}
[rotations.week]
scheme = "weekdays"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
pool = "daily"
[jobs.pharmacy]
sources = ["{SOURCE}"]
drive = "usb"
rotation = "week"
time = "21:30"
[[jobs.pharmacy.databases]]
kind = "postgresql"
name = "pharmacy"
host = "{server.directory}"
port = {server.port}
user = "owner"
password_file = "{password}"
""")
    return path


def command_line(folder: Path, configuration: Path) -> list[str]:
    """What systemd would run, out of the unit that `tapekit schedule install` writes and systemd finds right."""
    install = (
        PROGRAM,
        "--config",
        configuration,
        "schedule",
        "install",
        "--with",
        "systemd",
        "--root",
        folder / "root",
    )
    subprocess.run(install, check=True, capture_output=True)
    (unit,) = (folder / "root").rglob("tapekit-nightly-*.service")
    if shutil.which("systemd-analyze"):
        found = subprocess.run(("systemd-analyze", "verify", "--man=no", unit), capture_output=True, check=False)
        assert (found.returncode, found.stderr) == (0, b"")
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    return [word.replace("$$", "$").replace("%%", "%") for word in shlex.split(line.removeprefix("ExecStart="))]


def test_a_real_night(tmp_path: Path, device: str, server: Server) -> None:
    need("rsync")
    configuration = configured(tmp_path, device, server)
    night = command_line(tmp_path, configuration)
    ran = subprocess.run(night, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin:/usr/sbin"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pharmacy: Sauvegarde faite, relue, comparée, échantillon restauré." in ran.stdout

    to = tmp_path / "to"
    restore = (PROGRAM, "--config", configuration, "restore", "usb", "--to", to, "--json")
    restored = json.loads(subprocess.run(restore, check=True, capture_output=True).stdout)
    assert (restored["damaged"], restored["problems"], restored["refused"]) == ([], [], [])
    assert rsync_differences(SOURCE, to / SOURCE.relative_to("/")) == []

    (dump,) = to.rglob("pharmacy.pgdump")
    server.sql("CREATE DATABASE again")
    copy = server.directory / "dump"
    shutil.copy(dump, copy)
    copy.chmod(0o644)
    server.call(
        "pg_restore", "-h", str(server.directory), "-p", str(server.port), "-U", "owner", "-d", "again", str(copy)
    )
    assert server.sql(ROWS, "again") == server.sql(ROWS, "pharmacy")
    assert server.sql(ROWS, "again").count("\n") == 50_000

    show = (PROGRAM, "--config", configuration, "status", "--json")
    status = json.loads(subprocess.run(show, check=False, capture_output=True).stdout)
    assert [proof["rung"] for proof in status["jobs"][0]["proofs"]][-1] == "sample restored"
