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
from tapekit.jobs.devices import kind_of, remedy
from tapekit.jobs.doctor.finding import Finding, Gravity
from tapekit.report.said import said

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
    ("zstd", said("a cartridge can be read by hand with it")),
    ("mt", said("moves a tape by hand; package mt-st")),
    ("sg_logs", said("reads a drive's own log; package sg3-utils")),
    ("mtx", said("moves a changer's cartridges by hand")),
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
            Gravity.NOTE, "device", "/sys", said("no drive, changer or serial port is connected"),
            said("the kernel sees none"),
            said("is it on, and its cable in? dmesg tells what the kernel saw"),
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
        yield Finding(Gravity.GOOD, "permission", device.node, said("this user may use it"))
        return
    yield Finding(
        Gravity.PROBLEM if is_wanted else Gravity.WARNING, "permission", lacking.node,
        said("this user may not use the {kind} {name}", kind=kind_of(device.kind), name=device.name or device.node),
        said("only root and the group {group} may", group=lacking.group) if lacking.group else said("only root may"),
        remedy(lacking),
    )  # fmt: skip


def _modules(machine: Machine, devices: list[Device]) -> Iterator[Finding]:
    """Tape drives without st, or any of them without sg."""
    for folder in sorted(machine.path("/sys/bus/scsi/devices").glob("*:*")):
        kind = {"1": said("tape drive"), "8": said("changer")}.get(_read(folder / "type"))
        if kind and not (folder / "scsi_generic").exists():
            yield _no_module("sg", kind, folder.name, said("tapekit speaks to it through sg"))
    for device in devices:
        if device.kind is Kind.TAPE:
            has_st = len(device.nodes) > 1
            if not has_st:
                yield _no_module(
                    "st", said("tape drive"), device.node, said("nothing keeps other programs off the drive")
                )
            else:
                yield Finding(Gravity.GOOD, "module", device.node, said("st and sg are loaded"))
    if any(device.kind is Kind.CHANGER for device in devices) and machine.path("/sys/module/ch").exists():
        yield Finding(Gravity.GOOD, "module", "ch", said("loaded; tapekit uses sg beside it"))


def _no_module(name: str, kind: str, where: str, why: str) -> Finding:
    gravity = Gravity.PROBLEM if name == "sg" else Gravity.WARNING
    to_do = f"modprobe {name}; echo {name} > /etc/modules-load.d/tapekit-{name}.conf"
    return Finding(
        gravity,
        "module",
        where,
        said("the kernel's {name} driver does not have this {kind}", name=name, kind=kind),
        why,
        to_do,
    )


def _kernel(machine: Machine, devices: list[Device]) -> Iterator[Finding]:
    match = re.match(r"(\d+)\.(\d+)", machine.release)
    if not match or not any(device.kind is Kind.TAPE for device in devices):
        return
    version = (int(match[1]), int(match[2]))
    if ST_REGRESSION[0] <= version < ST_REGRESSION[1]:
        yield Finding(
            Gravity.NOTE, "kernel", machine.release,
            said("st may take a drive that was switched on for one that was reset"),
            said("mt and tar then fail once with an input/output error; tapekit asks through sg first, and does not"),
            said("by hand: run sg_turs on the drive's sg node before mt, or rewind twice"),
        )  # fmt: skip
    else:
        yield Finding(Gravity.GOOD, "kernel", machine.release, said("no known fault with tapes"))


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
        what = said("blocks of {size} KiB surely pass its host adapter", size=str(largest >> 10))
        if largest < USUAL_BLOCK_BYTES:
            yield Finding(
                Gravity.WARNING, "adapter", device.node, what,
                said(
                    "tapes are labelled with blocks of {size} KiB, which may be refused as busy",
                    size=str(USUAL_BLOCK_BYTES >> 10),
                ),
                said("tapekit label --block-size {size}K; or another adapter", size=str(largest >> 10)),
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
                    Gravity.WARNING, "competitor", node,
                    said("{source} is mounted on {place}", source=source, place=place),
                    said("nothing is written to a disk that is mounted"), f"umount {place}",
                )  # fmt: skip
        for process, name in _holders(machine, node):
            yield Finding(
                Gravity.WARNING, "competitor", node,
                said("{program} (process {process}) has it open", program=name, process=str(process)),
                said("a night that needs the {kind} waits, or fails", kind=kind_of(device.kind)),
                said("see that it ends before the night, and does not start again"),
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
                    yield int(folder.name), _read(folder / "comm") or said("a program")


def _clock(machine: Machine, now: datetime, last_night: datetime | None) -> Iterator[Finding]:
    if now.year < FIRST_SANE_YEAR or (last_night is not None and now < last_night):
        yield Finding(
            Gravity.PROBLEM, "clock", f"{now:%Y-%m-%d %H:%M} UTC", said("the clock is wrong"),
            said("it is before this program was made") if last_night is None or now >= last_night
            else said("the last night began later: {time} UTC", time=f"{last_night:%Y-%m-%d %H:%M}"),
            said("set it (timedatectl set-time), and let it be kept (timedatectl set-ntp true)"),
        )  # fmt: skip
        return
    kept = machine.is_synchronized()
    if kept is False:
        yield Finding(
            Gravity.WARNING, "clock", f"{now:%Y-%m-%d %H:%M} UTC", said("nobody keeps the clock right"),
            said("which cartridge is due, and what has expired, goes by it"), "timedatectl set-ntp true",
        )  # fmt: skip
    elif kept is None:
        yield Finding(Gravity.NOTE, "clock", f"{now:%Y-%m-%d %H:%M} UTC",
                      said("whether it is kept right, nobody tells here"),
                      said("timedatectl does not answer"), said("compare it with your watch"))  # fmt: skip
    else:
        yield Finding(Gravity.GOOD, "clock", f"{now:%Y-%m-%d %H:%M} UTC", said("kept by the network's time"))


def _tools(machine: Machine) -> Iterator[Finding]:
    for name, use in TOOLS:
        if machine.which(name):
            yield Finding(Gravity.GOOD, "tool", name, said("installed"))
        else:
            yield Finding(
                Gravity.NOTE,
                "tool",
                name,
                said("not installed"),
                said("not needed; {use}", use=use),
                said("install it, if you like"),
            )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
