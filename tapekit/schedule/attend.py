"""What a machine needs once, whatever its jobs are: the service that attends the drives, and udev's rules for them.

Sources of facts: systemd.service(5), systemd.exec(5), udev(7), 60-persistent-storage-tape.rules of udev.
"""

from pathlib import Path

from tapekit.config.schema import Configuration
from tapekit.schedule import systemd
from tapekit.schedule.files import HEAD, File

UNIT = "tapekit-attend.service"
RULES = Path("/etc/udev/rules.d/60-tapekit.rules")
POLL_MS = 2000
"""How often the kernel asks a removable disk for its medium."""

_RULES = f"""
# Tape drives and changers: for the group tape, also where they answer to sg alone.
SUBSYSTEM=="scsi_tape", GROUP="tape", MODE="0660"
SUBSYSTEM=="scsi_generic", ATTRS{{type}}=="1", GROUP="tape", MODE="0660"
SUBSYSTEM=="scsi_generic", ATTRS{{type}}=="8", GROUP="tape", MODE="0660"

# Names that stay: a changer may carry its drive's serial number, so that its kind is part of its name.
SUBSYSTEM=="scsi_tape", KERNEL=="nst*[0-9]", ENV{{ID_SCSI_SERIAL}}=="?*", \\
  SYMLINK+="tapekit/tape-$env{{ID_SCSI_SERIAL}}"
SUBSYSTEM=="scsi_generic", ATTRS{{type}}=="8", ENV{{ID_SCSI_SERIAL}}=="?*", \\
  SYMLINK+="tapekit/changer-$env{{ID_SCSI_SERIAL}}"

# RDX docks: the kernel looks whether a cartridge was put in, and no desktop mounts it.
ACTION!="remove", SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", ATTRS{{model}}=="RDX*", \\
  GROUP="disk", MODE="0660", ENV{{UDISKS_AUTO}}="0"
ACTION=="add", SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", ATTRS{{model}}=="RDX*", \\
  ATTR{{events_poll_msecs}}="{POLL_MS}"
SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", ATTRS{{model}}=="RDX*", ENV{{ID_SERIAL_SHORT}}=="?*", \\
  SYMLINK+="tapekit/rdx-$env{{ID_SERIAL_SHORT}}"
"""


def rules() -> File:
    """The groups and names of devices."""
    return File(RULES, HEAD + _RULES)


def service(configuration: Configuration, program: tuple[str, ...]) -> File:
    """The unit that attends the drives for as long as the machine runs. Jobs that it starts have units of their own."""
    folders = [configuration.site.state or systemd.STATE]
    notifications = configuration.notifications
    folders += [notifications.prometheus.parent] if notifications.prometheus else []
    images = (drive.url.partition(":") for drive in configuration.drives.values())
    folders += [Path(path).parent for scheme, _, path in images if scheme == "image"]
    lines = [
        "[Unit]",
        "Description=tapekit: what is put into the drives",
        "Wants=network-online.target",
        "After=network-online.target local-fs.target systemd-udevd.service postgresql.service",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={systemd.command_line(*program, 'attend')}",
        "Restart=on-failure",
        "RestartSec=30s",
        "Nice=10",
        f"EnvironmentFile=-{systemd.ENVIRONMENT}",
        "",
        "# Looks into drives, and starts the units of jobs; writes what it knows, and nothing on a cartridge.",
        f"StateDirectory={systemd.STATE.name}",
        "StateDirectoryMode=0700",
        "ProtectSystem=strict",
        *(f"ReadWritePaths={systemd.word(f'-{folder}')}" for folder in systemd.outermost(folders)),
        *systemd.ALWAYS,
        *systemd.WITHOUT_COMMANDS,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return File(systemd.FOLDER / UNIT, HEAD + "\n".join(lines) + "\n")
