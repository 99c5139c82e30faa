"""A scanner on a real serial port: the kernel's usb-serial and ftdi_sio drivers below, pyserial above."""

import os

import pytest

from drivers.errors import Busy
from drivers.scanner import SerialScanner
from fixtures import scanner as sessions
from formats.barcode import Framing
from tapekit.jobs.scan import Labels

PORT = "/dev/ttyUSB0"


def test_ten_thousand_scans() -> None:
    session = sessions.session(10_000, seed=43)
    scanner = SerialScanner(PORT, Framing())
    wire = os.open("/dev/virtio-ports/scanner", os.O_RDWR)
    try:
        coming = sessions.over_a_wire(session, scanner, lambda data: os.write(wire, data))
        taken = [Labels().judged(scan) for scan in coming]
    finally:
        os.close(wire)
        scanner.close()
    assert [scan.text for scan in taken if not scan.refused] == list(session.labels)


def test_the_port_is_used_by_one() -> None:
    scanner = SerialScanner(PORT, Framing())
    with pytest.raises(Busy, match="in use"):
        SerialScanner(PORT, Framing())
    scanner.close()
