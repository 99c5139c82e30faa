"""Puts the files in their places, and tells systemd."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tapekit.errors import TapekitError
from tapekit.schedule import attend, cron, systemd
from tapekit.schedule.files import HEAD, File

RUNNING = Path("/run/systemd/system")
"""There where systemd runs the machine (sd_booted(3))."""


def has_systemd() -> bool:
    """Whether systemd runs this machine."""
    return RUNNING.is_dir()


def install(files: Sequence[File], root: Path | None) -> list[Path]:
    """Write the files, below `root` for a package or a test; else start the timers too. Raises TapekitError."""
    written = []
    for file in files:
        path = below(root, file.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content, "utf-8")
            path.chmod(0o644)  # cron and systemd take no other, whatever the umask says
        except OSError as error:
            raise TapekitError(f"schedule: {path}: {(error.strerror or '').lower()}", _hint(error)) from error
        written.append(path)
    timers = [path.name for path in written if path.suffix == ".timer"]
    if timers and root is None:
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", *timers)
    if root is None:
        _take_up(written)
    return written


def _take_up(written: Sequence[Path]) -> None:
    """Let udev and systemd take up what is there once for the machine. Raises TapekitError."""
    if attend.RULES in written and has_systemd():
        _call("udevadm", "control", "--reload")
        _call("udevadm", "trigger", "--subsystem-match=scsi_tape", "--subsystem-match=scsi_generic")
    if any(path.name == attend.UNIT for path in written):
        _systemctl("daemon-reload")
        _systemctl("enable", attend.UNIT)
        _systemctl("restart", attend.UNIT)


def start(job: str, program: Sequence[str]) -> None:
    """Start the night of a job, by its unit where it has one, and do not wait for it. Raises TapekitError."""
    unit = f"{systemd.names(job)[0]}.service"
    if has_systemd() and (systemd.FOLDER / unit).is_file():
        _systemctl("start", "--no-block", unit)
        return
    try:
        subprocess.Popen([*program, "nightly", job], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    except OSError as error:
        raise TapekitError(f"{program[0]}: {(error.strerror or '').lower()}") from error


def installed(root: Path | None, job: str | None) -> list[Path]:
    """Files that install wrote and that are there, of one job or of all."""
    units = [f"{name}.{kind}" for name in systemd.names(job or "*") for kind in ("service", "timer")]
    places = [(systemd.FOLDER, unit) for unit in units] + [(cron.FOLDER, cron.name(job or "*"))]
    if job is None:
        places += [(systemd.FOLDER, attend.UNIT), (attend.RULES.parent, attend.RULES.name)]
    found = (path for folder, pattern in places for path in below(root, folder).glob(pattern))
    return sorted(path for path in found if _is_ours(path))


def remove(paths: Iterable[Path], root: Path | None) -> None:
    """Stop the timers and remove the files; a night that runs is not stopped. Raises TapekitError."""
    paths = list(paths)
    timers = [path.name for path in paths if path.suffix == ".timer"]
    if timers and root is None:
        _systemctl("disable", "--now", *timers)
    is_attending = any(path.name == attend.UNIT for path in paths)
    if root is None and is_attending:
        _systemctl("disable", "--now", attend.UNIT)
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise TapekitError(f"schedule: {path}: {(error.strerror or '').lower()}", _hint(error)) from error
    if (timers or is_attending) and root is None:
        _systemctl("daemon-reload")


def below(root: Path | None, path: Path) -> Path:
    """The path as it is below another root."""
    return root / path.relative_to("/") if root else path


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_text("utf-8", "replace").startswith(HEAD)


def _systemctl(*arguments: str) -> None:
    _call("systemctl", *arguments)


def _call(program: str, *arguments: str) -> None:
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise TapekitError(f"schedule: {program}: {(error.strerror or '').lower()}") from error
    if done.returncode:
        raise TapekitError(f"schedule: {program} {arguments[0]}: {done.stderr.strip() or done.returncode}")


def _hint(error: OSError) -> str | None:
    return "run it as root" if isinstance(error, PermissionError) else None
