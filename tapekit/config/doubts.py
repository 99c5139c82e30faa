"""What a valid configuration may still get wrong: devices and folders that are not there, days without a cartridge.

It looks at the machine, and reports; it changes nothing.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from tapekit.config.schema import Configuration, Job, Notification, PostgreSQL, SQLite, Weekday, Weekdays

_IN_FILES = ("image", "virtual")
"""Drives whose cartridge is a file, which labelling makes; of the others, the device is there or it is not."""


def doubts(configuration: Configuration, schemes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Field and doubt; `schemes` are those of the drivers that there are."""
    for name, drive in configuration.drives.items():
        yield from ((f"drives.{name}", why) for why in _drive(drive.url, schemes))
        path = (drive.changer or "").partition(":")[2]
        if path and not Path(path).exists():
            yield f"drives.{name}.changer", f"{path}: not there: not connected, or misspelt"
    for name, job in configuration.jobs.items():
        yield from ((f"jobs.{name}.{field}", why) for field, why in _job(configuration, job))
    notifications = configuration.notifications
    for key, listed in (("always", notifications.always), ("problems", notifications.problems)):
        for number, notification in enumerate(listed, 1):
            yield from ((f"notifications.{key}[{number}].{field}", why) for field, why in _notification(notification))
    if file := configuration.site.catalog_password_file:
        yield from (("site.catalog_password_file", why) for why in _secret(file))
    if not (notifications.always or notifications.problems):
        yield "notifications", "nobody is told when a night goes wrong"
    if _is_open(configuration):
        yield "keys", "there are none: whoever has a cartridge can read it; tapekit keys new makes them"
    yield from _unused(configuration)


def _is_open(configuration: Configuration) -> bool:
    """Whether nights are written without encryption that nobody has asked for."""
    folder = configuration.keys.directory
    unasked = any(job.encryption == "auto" for job in configuration.jobs.values())
    return unasked and folder is not None and not any(folder.glob("*.pub"))


def _drive(url: str, schemes: tuple[str, ...]) -> Iterator[str]:
    scheme, _, path = url.partition(":")
    if scheme not in schemes:
        yield f"{scheme}: no driver of that name: there are {', '.join(schemes)}"
    elif scheme in _IN_FILES:
        file = Path(path.partition("?")[0] if scheme == "virtual" else path)
        if not file.is_absolute():
            yield f"{file}: a relative path: for systemd and cron it leads elsewhere"
        yield from _folder(file.parent)
    elif not Path(path).exists():
        yield f"{path}: not there: not connected, or misspelt"


def _job(configuration: Configuration, job: Job) -> Iterator[tuple[str, str]]:
    for source in job.sources:
        if not os.path.lexists(source.path):
            yield "sources", f"{source.path}: no such file or directory"
    yield from _commands(job)
    yield from _databases(job)
    if job.spool:
        yield from (("spool", why) for why in _folder(job.spool))
    rotation = configuration.rotations[job.rotation]
    if isinstance(rotation, Weekdays):
        without = set(get_args(Weekday)) - set(rotation.days) - set(configuration.calendar.closed)
        if without:
            days = ", ".join(day for day in get_args(Weekday) if day in without)
            yield "rotation", f"no cartridge for {days}, and calendar.closed does not name it"


def _commands(job: Job) -> Iterator[tuple[str, str]]:
    for field, commands in (
        ("before", [hook.command for hook in job.before]),
        ("after", [hook.command for hook in job.after]),
        ("on_failure", [hook.command for hook in job.on_failure]),
        ("snapshot", [job.snapshot.create, job.snapshot.remove] if job.snapshot else []),
    ):
        for program, *_ in commands:
            if not shutil.which(program):
                yield field, f"{program}: no such program"


def _databases(job: Job) -> Iterator[tuple[str, str]]:
    for database in job.databases:
        if isinstance(database, SQLite) and not database.path.is_file():
            yield "databases", f"{database.path}: no such file"
        if isinstance(database, PostgreSQL) and database.password_file:
            yield from (("databases", why) for why in _secret(database.password_file))
    if any(isinstance(database, PostgreSQL) for database in job.databases) and not shutil.which("pg_dump"):
        yield "databases", "pg_dump: no such program"


def _folder(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{folder}: no such folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"{folder}: this user may not write in it"


def _secret(file: Path) -> Iterator[str]:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        yield f"{file}: {(error.strerror or '').lower()}"
        return
    if mode & 0o077:
        yield f"{file}: others than its owner may read it"
    if not os.access(file, os.R_OK):
        yield f"{file}: this user may not read it"


def _notification(notification: Notification) -> Iterator[tuple[str, str]]:
    if notification.url_file:
        yield from (("url_file", why) for why in _secret(notification.url_file))


def _unused(configuration: Configuration) -> Iterator[tuple[str, str]]:
    jobs = configuration.jobs.values()
    if not jobs:
        yield "jobs", "there are none: nothing is saved at night"
    used = {
        "drives": {drive for job in jobs for drive in job.in_reach},
        "rotations": {job.rotation for job in jobs},
    }
    for table, names in used.items():
        for name in sorted(set(getattr(configuration, table)) - names):
            yield f"{table}.{name}", "no job uses it"
