"""`rdx:/dev/…`: an RDX dock: the disk in its cartridge, and the dock's own commands beside it.

Data goes through the kernel's sd, as for `disk:`; the kernel forbids to take the cartridge out as long as that is open.
What sd does not tell or do goes through sg: which cartridge it is, the slider, the way out. Nothing that sets or tests
a dock is ever sent: no MODE SELECT, WRITE BUFFER, SEND DIAGNOSTIC or ATA pass-through.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from drivers.base import Identity
from drivers.errors import Busy, DeviceFailure, DriveError, MediumChanged, MediumError, NoDevice, NoMedium, NoPermission
from drivers.recordlog import block_device
from drivers.recordlog.door import Shell
from drivers.recordlog.drive import RecordLogDrive
from drivers.recordlog.storage import Storage
from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.sensetable import Row, Way, row_of
from drivers.scsi.sg import SgTransport
from drivers.scsi.transport import Transport
from formats.errors import Damaged
from formats.scsi import inquiry, mode
from formats.scsi import rdx as pages
from formats.scsi.inquiry import Inquiry
from formats.scsi.rdx import MediaId
from formats.scsi.sense import Key, Sense

_Answer = TypeVar("_Answer")

SCHEME = "rdx"
SYSFS = Path("/sys")
EJECT_SECONDS = 5
READY_SECONDS = 120
"""How long a cartridge may take until it is ready: its disk has to spin up, some 20 s, and may be tested first."""
MOST_ATTENTIONS = 16
"""How many things may have happened to a dock since it was asked last."""

_LARGER = 0xFFFFFFFF
"""The last block of a disk of more than READ CAPACITY(10) can say (SBC-4, section 5.20)."""

OpenStorage = Callable[[], tuple[Storage, bool]]
"""Opens the disk; it, and whether it is write-protected."""


def open_drive(path: str, *, writable: bool) -> RecordLogDrive:
    """Open a dock for us alone, by its sd or sg node or a link to one.

    Raises NoDevice, NoMedium, NoPermission, Busy and what the dock says.
    """
    url = f"{SCHEME}:{path}"
    disk, generic = _nodes(path, url)
    with contextlib.suppress(OSError):  # the kernel notices another cartridge first: it is told of it only once
        os.close(os.open(disk, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    transport = _transport(generic, disk, url)
    return open_on(
        url, disk, transport, lambda: block_device.open_storage(disk, url, writable=writable),
    )  # fmt: skip


def open_on(
    url: str, node: str, transport: Transport, open_storage: OpenStorage, *,
    wait: Callable[[float], None] = time.sleep,
) -> RecordLogDrive:  # fmt: skip
    """A drive over a dock's two sides. Takes `transport` over; `wait` passes seconds."""
    dock = Dock(url, transport, wait)
    storage: Storage | None = None
    try:
        answer = dock.inquiry()
        dock.await_cartridge()
        media = dock.media()
        storage, is_protected = open_storage()
        dock.check_size(storage.size_bytes)
        if dock.is_write_protected():  # the kernel may have asked before the slider was moved
            storage.writable, is_protected = False, True
        identity = Identity(node, answer.vendor, answer.model, dock.serial(), answer.revision)
        shell = Shell(media.serial, media.barcode, media.is_worm)
        return RecordLogDrive(url, identity, storage, write_protected=is_protected, door=dock, shell=shell)
    except BaseException:
        if storage is not None:
            storage.close()
        dock.close()
        raise


class Dock:
    """What is asked of a dock and told to it. A drivers.recordlog.door.Door."""

    def __init__(self, url: str, transport: Transport, wait: Callable[[float], None]) -> None:
        """Nothing is sent yet."""
        self._url = url
        self._transport = transport
        self._wait = wait
        self._is_locked = False

    def inquiry(self) -> Inquiry:
        """What it is. Raises NoDevice where that is no RDX dock."""
        answer = self._ask(lambda: commands.standard_inquiry(self._transport))
        if not pages.is_dock(answer.vendor, answer.model):
            what = f"{answer.vendor} {answer.model}".strip()
            path = self._url.removeprefix(f"{SCHEME}:")
            raise NoDevice(f"{self._url}: is no RDX dock, but {what}", f"for any other disk write disk:{path}")
        return answer

    def serial(self) -> str:
        """Serial number of the dock, which is not that of the cartridge."""
        return inquiry.serial(self._ask(lambda: commands.product_page(self._transport, inquiry.SERIAL_PAGE)))

    def await_cartridge(self) -> None:
        """Return when the cartridge is ready; what happened to the dock since it was last asked is passed over.

        Raises NoMedium, and what else the dock says.
        """
        self._ask(lambda: commands.test_unit_ready(self._transport))

    def media(self) -> MediaId:
        """Which cartridge is in; empty where this dock does not say."""
        try:
            known = self._ask(lambda: commands.product_page(self._transport, inquiry.SUPPORTED_PAGES)).body
            if pages.MEDIA_PAGE in known:
                return pages.parse(self._ask(lambda: commands.product_page(self._transport, pages.MEDIA_PAGE)).body)
        except (Unsupported, Damaged):
            pass
        return MediaId()

    def check_size(self, size_bytes: int) -> None:
        """Raises MediumChanged where the kernel knows the size of the cartridge that was in before."""
        answer = self._ask(lambda: commands.answer(self._transport, commands.READ_CAPACITY, size=8))
        last, block_bytes = int.from_bytes(answer[:4]), int.from_bytes(answer[4:8])
        if last not in {_LARGER, size_bytes // (block_bytes or 1) - 1}:
            raise MediumChanged(f"{self._url}: the cartridge was changed just now", "take it out, and put it in again")

    def is_write_protected(self) -> bool:
        """Whether the slider of the cartridge stands so."""
        return self._ask(lambda: commands.mode_sense(self._transport, mode.ALL_PAGES)).is_write_protected

    def lock(self, *, locked: bool) -> None:
        """See Door. The kernel locks too, but forgets it when the dock is reset."""
        self._ask(lambda: commands.prevent_removal(self._transport, prevented=locked))
        self._is_locked = locked

    def let_go(self) -> None:
        """See Door. Through sg: while sd is open, which its own eject needs, the kernel keeps the door locked."""
        for seconds_left in reversed(range(EJECT_SECONDS)):
            self.lock(locked=False)
            try:
                self._ask(lambda: commands.run(self._transport, commands.START_STOP_UNIT, (4, 1, 0x02)))
            except Busy:  # udev looks at a disk that was closed, and the kernel locks the door meanwhile
                if not seconds_left:
                    raise
                self._wait(1)
            else:
                return

    def counters(self) -> Mapping[str, int]:
        """See Door."""
        try:
            if pages.CARTRIDGE_LOG not in self._ask(lambda: commands.log_pages(self._transport)):
                return {}
            page = self._ask(lambda: commands.log_sense(self._transport, pages.CARTRIDGE_LOG))
        except (Unsupported, Damaged):
            return {}
        found = ((name, page.number(code)) for code, name in pages.COUNTERS)
        return {name: number for name, number in found if number is not None}

    def close(self) -> None:
        """See Door. Nothing is sent to a dock that we did not lock: it may be gone."""
        try:
            if self._is_locked:
                self.lock(locked=False)
        except DriveError:
            pass  # it is gone, and the lock with it
        finally:
            self._transport.close()

    def _ask(self, send: Callable[[], _Answer]) -> _Answer:
        """Send a command until the dock is ready for it. Raises what its sense data means."""
        attentions = seconds = 0
        while True:
            try:
                return send()
            except CommandFailed as failure:
                if failure.is_unsupported:
                    raise Unsupported(str(failure)) from failure
                row = row_of(failure.sense)
                if failure.sense.key == Key.UNIT_ATTENTION and attentions < MOST_ATTENTIONS:
                    attentions += 1
                elif row.way is Way.WAIT and seconds < READY_SECONDS:
                    self._wait(1)
                    seconds += 1
                else:
                    raise self._error(row, failure.sense) from failure

    def _error(self, row: Row, sense: Sense) -> DriveError:
        """The error of a row of the table; a dock's own commands have no block that could be bad."""
        kind = DeviceFailure if issubclass(row.error, MediumError) else row.error
        if kind is NoMedium:
            return NoMedium(f"{self._url}: no cartridge in the drive")
        return kind(f"{self._url}: {row.why} ({sense})", row.to_do or None)


def _transport(generic: str, disk: str, url: str) -> SgTransport:
    """The way to the dock: by sg, which only root may on many systems, else by the disk itself."""
    try:
        return SgTransport(generic)
    except NoPermission as error:
        with contextlib.suppress(DriveError):
            return SgTransport(disk)
        raise NoPermission(
            f"{url}: permission denied", "put this user into the group disk, or run as root: tapekit devices"
        ) from error


class Unsupported(DeviceFailure):
    """The dock does not know a command, or a page."""


def _nodes(path: str, url: str) -> tuple[str, str]:
    """The dock's sd and sg node. Raises NoDevice."""
    real = os.path.realpath(path)
    hint = "tapekit devices lists what is connected"
    if not Path(path).exists():
        raise NoDevice(f"{url}: no such device", hint)
    if re.fullmatch(r"sg\d+", Path(real).name):
        device = SYSFS / "class" / "scsi_generic" / Path(real).name / "device"
    else:
        block_device.check_is_block_device(path, url)
        device = block_device.sysfs_folder(path) / "device"
        known = block_device.identity(path)
        if not pages.is_dock(known.vendor, known.model):
            raise NoDevice(f"{url}: is no RDX dock", f"for any other disk write disk:{path}")
    found = [next((entry.name for entry in (device / kind).glob("*")), "") for kind in ("block", "scsi_generic")]
    if not found[0]:
        raise NoDevice(f"{url}: is no RDX dock", hint)
    if not found[1]:
        raise NoDevice(f"{url}: the kernel's sg driver is not loaded", "modprobe sg")
    return f"/dev/{found[0]}", f"/dev/{found[1]}"
