"""systemd's units for a job: a service and a timer for the night, and the same for the evening check.

Sources of facts: systemd.exec(5), systemd.service(5), systemd.timer(5), systemd.time(7).
"""

from collections.abc import Iterable
from pathlib import Path

from tapekit.config.schema import Configuration, Job, SQLite
from tapekit.schedule import times
from tapekit.schedule.files import HEAD, File, Plan

FOLDER = Path("/etc/systemd/system")
STATE = Path("/var/lib/tapekit")
"""Of root; StateDirectory= makes it."""
ENVIRONMENT = Path("/etc/tapekit/environment")
"""Variables for url_env, one NAME=value a line; readable by root alone."""
STOP_SECONDS = 1800
"""Time to close an archive once a stop was asked for: its catalog and trailer, and a tape that is written out."""
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - whether a job uses them, nothing is opened there

ALWAYS = (
    "ProtectClock=yes", "ProtectControlGroups=yes", "ProtectHostname=yes", "ProtectKernelLogs=yes",
    "ProtectKernelTunables=yes", "LockPersonality=yes", "RestrictRealtime=yes", "SystemCallArchitectures=native",
    "UMask=0077",
)  # fmt: skip
_CAPABILITIES = (
    "CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_FSETID CAP_SETFCAP"
    " CAP_SETUID CAP_SETGID CAP_SYS_ADMIN CAP_SYS_RAWIO CAP_MKNOD CAP_SYS_NICE CAP_KILL"
)
"""To read everything, give a sample its owners and modes back, talk SCSI to a drive, dump as the database's user."""
WITHOUT_COMMANDS = (
    "ProtectKernelModules=yes", "NoNewPrivileges=yes", "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    f"CapabilityBoundingSet={_CAPABILITIES}",
)  # fmt: skip
"""Not for a job with hooks or snapshots: nobody knows what its commands need."""


def names(job: str) -> tuple[str, str]:
    """The units' names, without their ending: the night, and the evening check."""
    return f"tapekit-nightly-{job}", f"tapekit-check-{job}"


def files(plan: Plan) -> tuple[File, ...]:
    """The four units of a job. Raises UsageError."""
    night, check = names(plan.job)
    when, when_checked = times.of_job(plan.configuration, plan.job), times.of_check(plan.configuration, plan.job)
    described = f"tapekit: job {plan.job}"
    return (
        File(FOLDER / f"{night}.service", _service(plan, described, "nightly", TimeoutStartSec="infinity")),
        File(FOLDER / f"{night}.timer", _timer(described, when, is_persistent=True)),
        File(FOLDER / f"{check}.service", _service(plan, f"{described}, check", "check-tonight", TimeoutStartSec="1h")),
        File(FOLDER / f"{check}.timer", _timer(f"{described}, check", when_checked, is_persistent=False)),
    )


def _service(plan: Plan, description: str, command: str, **settings: str) -> str:
    job = plan.configuration.jobs[plan.job]
    has_commands = bool(job.before or job.after or job.on_failure or job.snapshot)
    writable = writable_folders(plan.configuration, job)
    lines = [
        "[Unit]",
        f"Description={description}",
        "Wants=network-online.target",
        "After=network-online.target local-fs.target remote-fs.target postgresql.service",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command_line(*plan.program, command, plan.job)}",
        "# 3: done with warnings, which the report tells.",
        "SuccessExitStatus=3",
        *(f"{key}={value}" for key, value in settings.items()),
        f"TimeoutStopSec={STOP_SECONDS}",
        "KillMode=mixed",
        "Nice=10",
        "IOSchedulingPriority=7",
        f"EnvironmentFile=-{ENVIRONMENT}",
        "",
        "# Reads everything, writes where it must.",
        f"StateDirectory={STATE.name}",
        "StateDirectoryMode=0700",
        f"ProtectSystem={'full' if has_commands else 'strict'}",
        f"PrivateTmp={'no' if _uses_temporary(job, writable) else 'yes'}",
        *(f"ReadWritePaths={word(f'-{folder}')}" for folder in writable),
        *ALWAYS,
        *(() if has_commands else WITHOUT_COMMANDS),
    ]
    return HEAD + "\n".join(lines) + "\n"


def _timer(description: str, when: times.When, *, is_persistent: bool) -> str:
    days = "" if len(when.days) == len(times.WEEK) else ",".join(day.capitalize() for day in when.days) + " "
    lines = [
        "[Unit]",
        f"Description={description}",
        "",
        "[Timer]",
        f"OnCalendar={days}*-*-* {when.time:%H:%M}:00",
        "# The machine was off: a night is made up for, a check is not."
        if is_persistent
        else "# Late, it is of no use.",
        f"Persistent={'true' if is_persistent else 'false'}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return HEAD + "\n".join(lines) + "\n"


def writable_folders(configuration: Configuration, job: Job) -> list[Path]:
    """Folders that a job writes in, besides devices."""
    notifications = configuration.notifications
    folders = [configuration.site.state or STATE, job.spool, notifications.html]
    folders += [notifications.prometheus.parent] if notifications.prometheus else []
    folders += [database.path.parent for database in job.databases if isinstance(database, SQLite)]  # its -wal, -shm
    for name in job.in_reach:
        scheme, _, path = configuration.drives[name].url.partition(":")
        folders += [Path(path).parent] if scheme == "image" else []
    return outermost(folder for folder in folders if folder)


def outermost(folders: Iterable[Path]) -> list[Path]:
    """Those folders that are in none of the others."""
    found: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(other) for other in found):
            found.append(folder)
    return found


def _uses_temporary(job: Job, writable: Iterable[Path]) -> bool:
    paths = [
        *writable,
        *(source.path for source in job.sources),
        *(Path(getattr(it, "host", None) or "") for it in job.databases),
    ]
    return any(path.is_relative_to(folder) for path in paths for folder in TEMPORARY)


def command_line(program: str, *arguments: str) -> str:
    """A command line; $ stands for a variable in arguments, not in the program's path."""
    return " ".join((word(program), *(word(argument).replace("$", "$$") for argument in arguments)))


def word(text: str) -> str:
    r"""One word of a command line or a list of paths: a % means itself, spaces and quotes do not end it."""
    text = text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if any(letter in text for letter in " '\";") else text
