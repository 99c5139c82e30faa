"""Puts the files in their places, and tells systemd."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tapekit.errors import TapekitError
from tapekit.schedule import cron, systemd
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
    return written


def installed(root: Path | None, job: str | None) -> list[Path]:
    """Files that install wrote and that are there, of one job or of all."""
    units = [f"{name}.{kind}" for name in systemd.names(job or "*") for kind in ("service", "timer")]
    places = [(systemd.FOLDER, unit) for unit in units] + [(cron.FOLDER, cron.name(job or "*"))]
    found = (path for folder, pattern in places for path in below(root, folder).glob(pattern))
    return sorted(path for path in found if _is_ours(path))


def remove(paths: Iterable[Path], root: Path | None) -> None:
    """Stop the timers and remove the files; a night that runs is not stopped. Raises TapekitError."""
    paths = list(paths)
    timers = [path.name for path in paths if path.suffix == ".timer"]
    if timers and root is None:
        _systemctl("disable", "--now", *timers)
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise TapekitError(f"schedule: {path}: {(error.strerror or '').lower()}", _hint(error)) from error
    if timers and root is None:
        _systemctl("daemon-reload")


def below(root: Path | None, path: Path) -> Path:
    """The path as it is below another root."""
    return root / path.relative_to("/") if root else path


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_text("utf-8", "replace").startswith(HEAD)


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise TapekitError(f"schedule: systemctl: {(error.strerror or '').lower()}") from error
    if done.returncode:
        raise TapekitError(f"schedule: systemctl {arguments[0]}: {done.stderr.strip() or done.returncode}")


def _hint(error: OSError) -> str | None:
    return "run it as root" if isinstance(error, PermissionError) else None
