"""`tape:/dev/nst0`: a tape drive of this computer."""

import errno
import os

from drivers.errors import Busy, NoPermission, translated
from drivers.scsi.sg import SgTransport
from drivers.tape.drive import TapeDrive
from drivers.tape.glance import Glance
from drivers.tape.glance import glance as glance_over
from drivers.tape.nodes import nodes_of

SCHEME = "tape"


def open_drive(path: str, *, writable: bool) -> TapeDrive:
    """Open a drive for us alone, by its nst or sg node or a link to one; never waits for a cartridge.

    Commands and data go through sg. The st node is held open meanwhile, so that nobody else moves the tape: st lets one
    program in at a time. Where there is no st node, sg itself lets nobody else in.

    Raises NoDevice, NoPermission, Busy and what the drive says.
    """
    url = f"{SCHEME}:{path}"
    nodes = nodes_of(path)
    # First sg, then st: a kernel from 6.6 to 6.14 takes the first unit attention that st sees for a reset.
    transport = _transport(nodes.sg, url, exclusive=not nodes.st)
    held = -1
    try:
        held = _hold(nodes.st, url)
        drive = TapeDrive(url, transport, writable=writable, let_go=lambda: _let_go(held), plain_node=nodes.st)
    except BaseException:
        transport.close()
        _let_go(held)
        raise
    drive.allow_removal()
    return drive


def glance(path: str) -> Glance:
    """See drivers.tape.glance. Raises NoDevice, NoPermission, Busy and what the drive says."""
    transport = _transport(nodes_of(path).sg, f"{SCHEME}:{path}")
    try:
        return glance_over(transport)
    finally:
        transport.close()


def _transport(node: str, url: str, *, exclusive: bool = False) -> SgTransport:
    try:
        return SgTransport(node, exclusive=exclusive)
    except NoPermission as error:
        raise NoPermission(
            f"{url}: {node}: permission denied", "put this user into the group tape, or run as root: tapekit doctor"
        ) from error


def _hold(node: str, url: str) -> int:
    """The st node, open; -1 where there is none. Without O_NONBLOCK an empty drive would hold us up for two minutes."""
    if not node:
        return -1
    try:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise Busy(f"{url}: {node}: another program uses the drive", "see which: tapekit doctor") from error
        raise translated(error, url) from error


def _let_go(held: int) -> None:
    if held >= 0:
        os.close(held)
