"""Scans over a pseudo-terminal, which the serial library opens as any port: none is ever wrong."""

import io
import os
import threading
import tty
from collections.abc import Iterator
from itertools import islice

import pytest

from drivers.errors import Busy, NoDevice
from drivers.scanner import KeyboardScanner, SerialScanner, open_scanner
from fixtures import scanner as sessions
from formats.barcode import Framing, Scan
from tapekit.jobs.scan import Labels


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """The scanner's end, and the name of the computer's."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def test_ten_thousand_scans_with_noise_partial_lines_and_all_tails(pty: tuple[int, str]) -> None:
    ours, name = pty
    session = sessions.session(10_000, seed=39)
    scanner = SerialScanner(name, Framing())
    taken = [
        Labels().judged(scan) for scan in sessions.over_a_wire(session, scanner, lambda data: os.write(ours, data))
    ]
    scanner.close()
    assert [scan.text for scan in taken if not scan.refused] == list(session.labels)
    assert len(session.labels) > 6000


def test_the_port_gives_each_scan_as_it_comes(pty: tuple[int, str]) -> None:
    ours, name = pty
    scanner = SerialScanner(name, Framing())
    coming = scanner.scans()
    for label in ("TAP001L6", "TAP002L6"):
        os.write(ours, f"\x02]A0{label}\r\n".encode())
        assert next(coming) == Scan(label)
    scanner.close()


def test_a_scanner_without_a_tail(pty: tuple[int, str]) -> None:
    ours, name = pty
    scanner = SerialScanner(name, Framing(ends_by_pause=True, idle_s=0.01))
    os.write(ours, b"TAP001L6")
    assert next(scanner.scans()) == Scan("TAP001L6")
    scanner.close()


def test_a_scanner_that_is_unplugged() -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    scanner = SerialScanner(os.ttyname(theirs), Framing())
    os.close(theirs)
    closing = threading.Timer(0, os.close, (ours,))
    closing.start()
    with pytest.raises(NoDevice, match="went away"):
        next(scanner.scans())
    closing.join()
    scanner.close()


def test_a_port_is_used_by_one(pty: tuple[int, str]) -> None:
    scanner = SerialScanner(pty[1], Framing())
    with pytest.raises(Busy, match="in use"):
        SerialScanner(pty[1], Framing())
    scanner.close()


@pytest.mark.parametrize(("port", "why"), (("/dev/there-is-none", "no such device"), ("/dev/null", "no serial port")))
def test_what_is_no_port(port: str, why: str) -> None:
    with pytest.raises(NoDevice, match=why):
        open_scanner(port, Framing())


def test_a_scanner_that_types() -> None:
    typed = KeyboardScanner(Framing(), io.BytesIO(b"TAP001L6\nTAP002L6\r\n\nTAP0"))
    assert [scan.text for scan in islice(typed.scans(), 2)] == ["TAP001L6", "TAP002L6"]
    (last,) = typed.scans()
    assert last.refused
