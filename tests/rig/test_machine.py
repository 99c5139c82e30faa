"""What the other tests take for granted of the machine they run in."""

import os
import tty
from pathlib import Path

import pytest

from fixtures.rig.qemu import Qemu, QemuError

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ("st", "sg", "ch", "sd_mod", "usb_storage", "uas", "iscsi_tcp", "loop", "ftdi_sio"))
def test_the_drivers_are_the_kernels_own(module: str) -> None:
    assert Path("/sys/module", module).is_dir()


def test_the_checkout_can_be_written_to_and_is_not_changed(shared: Path) -> None:
    """A layer over it takes the writes: the host's files are the lower one, which is read-only."""
    trial = CHECKOUT / "trial"
    trial.write_text("of this boot")
    trial.unlink()
    root = next(line.split() for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[1] == "/")
    assert (root[0], root[2]) == ("overlay", "overlay")
    assert "upperdir=/upper/upper" in root[3]
    (shared / "trial").write_text("seen by both")


def test_qemu_answers_and_refuses(qemu: Qemu) -> None:
    assert qemu.execute("query-status")["running"] is True
    with pytest.raises(QemuError, match="device_del: Device 'nothing' not found"):
        qemu.execute("device_del", {"id": "nothing"})


def test_what_the_scanner_sends_comes_out_of_the_serial_port() -> None:
    port = os.open("/dev/ttyUSB0", os.O_RDWR | os.O_NOCTTY)
    scanner = os.open("/dev/virtio-ports/scanner", os.O_RDWR)
    try:
        tty.setraw(port)
        os.write(scanner, b"TAP001L6\r\n")
        received = b""
        while len(received) < 10:
            received += os.read(port, 100)
        assert received == b"TAP001L6\r\n"
    finally:
        os.close(scanner)
        os.close(port)
