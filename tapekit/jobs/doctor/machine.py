"""The machine: permissions, the kernel and its drivers, the way to the drives, who else is on them, clock, tools.

Everything is read below a root that can be another one; no drive is opened. Sources of facts: proc(5), the ABI
documentation of Linux's SCSI hosts, and notes in the code.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from drivers import discover
from drivers.discover import Device, Kind
from tapekit.jobs.doctor.finding import Finding, Gravity

ST_REGRESSION = ((6, 6), (6, 15))
"""From the first to below the last, st takes the first power-on unit attention for a reset (docs/technician.md)."""
PAGE_BYTES = 4096
"""Of the worst case, in which every page of a block is a segment of its own (drivers/scsi/st.c, direct I/O)."""
LARGEST_COMMAND_BYTES = 0xFFFFFF
"""READ(6) and WRITE(6) count in three bytes."""
USUAL_BLOCK_BYTES = 256 << 10
FIRST_SANE_YEAR = 2026
"""No clock that is right says less: this program is younger."""
TOOLS = (
    ("zstd", "a cartridge can be read by hand with it"),
    ("mt", "moves a tape by hand; package mt-st"),
    ("sg_logs", "reads a drive's own log; package sg3-utils"),
    ("mtx", "moves a changer's cartridges by hand"),
)
"""Nothing that tapekit needs: what a technician wants to have there on a bad day."""


def synchronized() -> bool | None:
    """Whether the clock is kept by the network's time; None where nobody knows."""
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip()) if done.returncode == 0 else None


@dataclasses.dataclass(frozen=True)
class Machine:
    """What is asked of a machine; a test gives its own answers."""

    root: Path = Path("/")
    release: str = dataclasses.field(default_factory=lambda: os.uname().release)
    may: Callable[[str, int], bool] = os.access
    which: Callable[[str], str | None] = shutil.which
    is_synchronized: Callable[[], bool | None] = synchronized
    process: int = dataclasses.field(default_factory=os.getpid)

    def path(self, name: str) -> Path:
        """A file of this machine."""
        return self.root / name.lstrip("/")


def examine(machine: Machine, wanted: frozenset[str], now: datetime, last_night: datetime | None) -> Iterator[Finding]:
    """All that can be said of a machine. `wanted` are the nodes that the configuration names, resolved."""
    devices = discover.devices(machine.root)
    for device in devices:
        yield from _permission(machine, device, is_wanted=bool(wanted & set(device.nodes)))
    if not devices:
        yield Finding(
            Gravity.NOTE, "device", "/sys", "no drive, changer or serial port is connected", "the kernel sees none",
            "is it on, and its cable in? dmesg tells what the kernel saw",
        )  # fmt: skip
    yield from _modules(machine, devices)
    yield from _kernel(machine, devices)
    yield from _adapters(machine, devices)
    yield from _competitors(machine, devices)
    yield from _clock(machine, now, last_night)
    yield from _tools(machine)


def _permission(machine: Machine, device: Device, *, is_wanted: bool) -> Iterator[Finding]:
    lacking = discover.missing(device, machine.may, machine.root)
    if lacking is None:
        yield Finding(Gravity.GOOD, "permission", device.node, "this user may use it")
        return
    yield Finding(
        Gravity.PROBLEM if is_wanted else Gravity.WARNING, "permission", lacking.node,
        f"this user may not use the {device.kind} {device.name}".rstrip(),
        f"only root and the group {lacking.group} may" if lacking.group else "only root may", lacking.remedy,
    )  # fmt: skip


def _modules(machine: Machine, devices: list[Device]) -> Iterator[Finding]:
    """Tape drives without st, or any of them without sg."""
    for folder in sorted(machine.path("/sys/bus/scsi/devices").glob("*:*")):
        kind = {"1": "tape drive", "8": "changer"}.get(_read(folder / "type"))
        if kind and not (folder / "scsi_generic").exists():
            yield _no_module("sg", kind, folder.name, "tapekit speaks to it through sg")
    for device in devices:
        if device.kind is Kind.TAPE:
            has_st = len(device.nodes) > 1
            if not has_st:
                yield _no_module("st", "tape drive", device.node, "nothing keeps other programs off the drive")
            else:
                yield Finding(Gravity.GOOD, "module", device.node, "st and sg are loaded")
    if any(device.kind is Kind.CHANGER for device in devices) and machine.path("/sys/module/ch").exists():
        yield Finding(Gravity.GOOD, "module", "ch", "loaded; tapekit uses sg beside it")


def _no_module(name: str, kind: str, where: str, why: str) -> Finding:
    gravity = Gravity.PROBLEM if name == "sg" else Gravity.WARNING
    to_do = f"modprobe {name}; echo {name} > /etc/modules-load.d/tapekit-{name}.conf"
    return Finding(gravity, "module", where, f"the kernel's {name} driver does not have this {kind}", why, to_do)


def _kernel(machine: Machine, devices: list[Device]) -> Iterator[Finding]:
    match = re.match(r"(\d+)\.(\d+)", machine.release)
    if not match or not any(device.kind is Kind.TAPE for device in devices):
        return
    version = (int(match[1]), int(match[2]))
    if ST_REGRESSION[0] <= version < ST_REGRESSION[1]:
        yield Finding(
            Gravity.NOTE, "kernel", machine.release, "st may take a drive that was switched on for one that was reset",
            "mt and tar then fail once with an input/output error; tapekit asks through sg first, and does not",
            "by hand: run sg_turs on the drive's sg node before mt, or rewind twice",
        )  # fmt: skip
    else:
        yield Finding(Gravity.GOOD, "kernel", machine.release, "no known fault with tapes")


def _adapters(machine: Machine, devices: list[Device]) -> Iterator[Finding]:
    """How large a block may be on the way to a tape drive."""
    for device in devices:
        if device.kind is not Kind.TAPE:
            continue
        sg = Path(device.nodes[0]).name
        place = machine.path(f"/sys/class/scsi_generic/{sg}/device").resolve()
        tables = [
            int(text)
            for folder in place.parents
            for host in folder.glob("scsi_host/host*/sg_tablesize")
            if (text := _read(host)).isdigit()
        ]
        if not tables:
            continue
        largest = min(tables[0] * PAGE_BYTES, LARGEST_COMMAND_BYTES)
        sectors = _read(place / "max_sectors")  # of usb-storage
        if sectors.isdigit():
            largest = min(largest, int(sectors) * discover.SECTOR_BYTES)
        what = f"blocks of {largest >> 10} KiB surely pass its host adapter"
        if largest < USUAL_BLOCK_BYTES:
            yield Finding(
                Gravity.WARNING, "adapter", device.node, what,
                f"tapes are labelled with blocks of {USUAL_BLOCK_BYTES >> 10} KiB, which may be refused as busy",
                f"tapekit label --block-size {largest >> 10}K; or another adapter",
            )  # fmt: skip
        else:
            yield Finding(Gravity.GOOD, "adapter", device.node, what)


def _competitors(machine: Machine, devices: list[Device]) -> Iterator[Finding]:
    """Other programs that have a drive open, or mounted."""
    nodes = {node: device for device in devices if device.kind is not Kind.SERIAL for node in _all_nodes(device)}
    mounted = [line.split()[:2] for line in _read(machine.path("/proc/mounts")).splitlines()]
    for node, device in nodes.items():
        for source, place in (mount for mount in mounted if len(mount) == 2):  # noqa: PLR2004 - device and place
            if re.fullmatch(re.escape(node) + r"(p?\d+)?", source):
                yield Finding(
                    Gravity.WARNING, "competitor", node, f"{source} is mounted on {place}",
                    "nothing is written to a disk that is mounted", f"umount {place}",
                )  # fmt: skip
        for process, name in _holders(machine, node):
            yield Finding(
                Gravity.WARNING, "competitor", node, f"{name} (process {process}) has it open",
                f"a night that needs the {device.kind} waits, or fails",
                "see that it ends before the night, and does not start again",
            )  # fmt: skip


def _all_nodes(device: Device) -> Iterator[str]:
    """Every name under which a program may have a device open: of a tape drive st0, nst0 and their modes."""
    for node in device.nodes:
        yield node
        if node.startswith("/dev/nst"):
            number = node.removeprefix("/dev/nst")
            yield from (f"/dev/{prefix}st{number}{mode}" for prefix in ("", "n") for mode in ("", "l", "m", "a"))


def _holders(machine: Machine, node: str) -> Iterator[tuple[int, str]]:
    """Processes that have a node open, other than this one and tapekit's own."""
    for folder in sorted(machine.path("/proc").glob("[0-9]*")):
        if int(folder.name) == machine.process:
            continue
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            if any(str(entry.readlink()) == node for entry in (folder / "fd").iterdir()):
                words = _read(folder / "cmdline").split("\0")
                if not any(Path(word).name == "tapekit" for word in words[:3]):
                    yield int(folder.name), _read(folder / "comm") or "a program"


def _clock(machine: Machine, now: datetime, last_night: datetime | None) -> Iterator[Finding]:
    if now.year < FIRST_SANE_YEAR or (last_night is not None and now < last_night):
        yield Finding(
            Gravity.PROBLEM, "clock", f"{now:%Y-%m-%d %H:%M} UTC", "the clock is wrong",
            "it is before this program was made" if last_night is None or now >= last_night
            else f"the last night began later: {last_night:%Y-%m-%d %H:%M} UTC",
            "set it (timedatectl set-time), and let it be kept (timedatectl set-ntp true)",
        )  # fmt: skip
        return
    kept = machine.is_synchronized()
    if kept is False:
        yield Finding(
            Gravity.WARNING, "clock", f"{now:%Y-%m-%d %H:%M} UTC", "nobody keeps the clock right",
            "which cartridge is due, and what has expired, goes by it", "timedatectl set-ntp true",
        )  # fmt: skip
    elif kept is None:
        yield Finding(Gravity.NOTE, "clock", f"{now:%Y-%m-%d %H:%M} UTC", "whether it is kept right, nobody tells here",
                      "timedatectl does not answer", "compare it with your watch")  # fmt: skip
    else:
        yield Finding(Gravity.GOOD, "clock", f"{now:%Y-%m-%d %H:%M} UTC", "kept by the network's time")


def _tools(machine: Machine) -> Iterator[Finding]:
    for name, use in TOOLS:
        if machine.which(name):
            yield Finding(Gravity.GOOD, "tool", name, "installed")
        else:
            yield Finding(Gravity.NOTE, "tool", name, "not installed", f"not needed; {use}", "install it, if you like")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
