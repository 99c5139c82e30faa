"""A changer that others wrote, tgt's, below the kernel's own sg driver: tapekit and mtx see the same, and move it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.changer.changer import Changer
from drivers.changer.errors import NoSuchBarcode, PlaceEmpty, PlaceFull
from drivers.changer.open import drive_nodes, node_of, open_changer
from drivers.errors import DriveError
from fixtures.rig.tape import run

_PORT = 3270
_TARGET = "iqn.2026-01.example.tapekit:changer"
_DRIVES, _CARTRIDGES, _SLOTS = 2, 4, 6
_MTX = re.compile(r"(Data Transfer|Storage) Element (\d+)( IMPORT/EXPORT)?:(Full|Empty)(.*)")


def unit(number: int, operation: str, *more: str) -> None:
    run(
        "tgtadm",
        "--lld",
        "iscsi",
        "--mode",
        "logicalunit",
        "--tid",
        "1",
        "--op",
        operation,
        "--lun",
        str(number),
        *more,
    )


def element(number: int, kind: int, **values: object) -> None:
    unit(
        number,
        "update",
        "--params",
        ",".join(f"{key}={value}" for key, value in {"element_type": kind, **values}.items()),
    )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sg node of a changer of tgt's with two drives, six slots, and four cartridges in the first of them.

    It stays until the machine is switched off: the kernel has no session with it to end.
    """
    folder, robot = tmp_path_factory.mktemp("tgt"), _DRIVES + 1
    Path("/run/tgtd").mkdir(exist_ok=True)
    (folder / "robot").write_bytes(bytes(1024))
    for at in range(1, _CARTRIDGES + 1):
        name = f"TB000{at}L6"
        run("tgtimg", "--op", "new", "--device-type", "tape", "--barcode", name, "--size", "16", "--type", "data",
            "--file", str(folder / name))  # fmt: skip
    run("tgtd", "--iscsi", f"portal=127.0.0.1:{_PORT}")
    run("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "new", "--tid", "1", "-T", _TARGET)
    for at in range(1, _DRIVES + 1):
        unit(at, "new", "-b", str(folder / f"TB000{at}L6"), "--device-type=tape")
        names = f"vendor_id=TANDBERG,product_id=LTO-6 HH,product_rev=H86N,scsi_sn=RIGTGT000{at}"
        unit(at, "update", "--params", f"online=0,{names}")
    unit(robot, "new", "-b", str(folder / "robot"), "--device-type=changer")
    names = "vendor_id=TANDBERG,product_id=StorageLoader,product_rev=0320,scsi_sn=RIGTGTSL01"
    unit(robot, "update", "--params", names)
    unit(robot, "update", "--params", f"media_home={folder}")
    element(robot, 4, start_address=1, quantity=_DRIVES)
    for at in range(1, _DRIVES + 1):
        element(robot, 4, address=at, tid=1, lun=at)
    element(robot, 1, start_address=16, quantity=1)
    element(robot, 3, start_address=32, quantity=1)
    element(robot, 2, start_address=1000, quantity=_SLOTS)
    for at in range(1, _CARTRIDGES + 1):
        element(robot, 2, address=999 + at, barcode=f"TB000{at}L6", sides=1)
    run("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL")
    run("iscsistart", "-i", "iqn.2026-01.example.tapekit:rig", "-t", _TARGET, "-g", "1", "-a", "127.0.0.1",
        "-p", str(_PORT))  # fmt: skip
    run("udevadm", "settle", "--timeout=30")
    return next(
        f"/dev/{entry.name}" for entry in sorted(Path("/sys/class/scsi_generic").iterdir())
        if (entry / "device/type").read_text().strip() == "8"
    )  # fmt: skip


@pytest.fixture
def changer(node: str) -> Iterator[Changer]:
    opened = open_changer(node)
    yield opened
    opened.close()


def as_mtx_says(node: str) -> dict[str, str]:
    """What is in each place that is full."""
    found = {}
    for kind, number, port, state, rest in _MTX.findall(run("mtx", "-f", node, "status")):
        tag = re.search(r"VolumeTag\s*=\s*(\S+)", rest)
        name = f"{'drive' if kind == 'Data Transfer' else 'import/export slot' if port else 'slot'} {number}"
        if state == "Full":
            found[name] = tag[1] if tag else ""
    return found


def as_tapekit_says(changer: Changer) -> dict[str, str]:
    found = changer.inventory()
    return {spot.name: spot.element.barcode for spot in (*found.drives, *found.slots) if spot.element.is_full}


FIRST = {f"slot {at}": f"TB000{at}L6" for at in range(1, _CARTRIDGES + 1)}


def test_what_is_where(node: str, changer: Changer) -> None:
    assert as_tapekit_says(changer) == FIRST
    assert (changer.identity.vendor, changer.identity.model) == ("TANDBERG", "StorageLoader")
    found = changer.inventory()
    assert [len(found.drives), len(found.slots)] == [_DRIVES, _SLOTS + 1]
    assert found.slots[-1].name == f"import/export slot {_SLOTS + 1}"
    assert found.drives[0].element.device_id
    changer.close()
    assert as_mtx_says(node) == FIRST


def test_a_drive_is_found_by_its_serial_number(changer: Changer) -> None:
    found, nodes = changer.inventory(), drive_nodes()
    serials = [f"RIGTGT000{at}" for at in range(1, _DRIVES + 1)]
    assert [node_of(spot, found, nodes) for spot in found.drives] == [nodes[serial] for serial in serials]


def test_moves_are_seen_by_mtx_and_its_moves_by_tapekit(node: str, changer: Changer) -> None:
    changer.load("TB0003L6")
    changer.load("TB0001L6", drive=1)
    changer.transfer(2, _SLOTS + 1)
    moved = {"drive 0": "TB0003L6", "drive 1": "TB0001L6", "slot 4": "TB0004L6", "import/export slot 7": "TB0002L6"}
    assert as_tapekit_says(changer) == moved
    changer.close()
    assert as_mtx_says(node) == moved
    run("mtx", "-f", node, "unload", "3", "0")
    run("mtx", "-f", node, "transfer", "7", "2")
    again = open_changer(node)
    assert as_tapekit_says(again) == {"drive 1": "TB0001L6", **{at: FIRST[at] for at in ("slot 2", "slot 3", "slot 4")}}
    assert again.unload(1).name == "slot 1"
    again.close()
    assert as_mtx_says(node) == FIRST


def test_what_is_in_the_drive_goes_back_first(node: str, changer: Changer) -> None:
    changer.load("TB0002L6")
    changer.load("TB0004L6")
    assert as_tapekit_says(changer) == {"drive 0": "TB0004L6", **{a: FIRST[a] for a in ("slot 1", "slot 2", "slot 3")}}
    changer.unload()
    changer.close()
    assert as_mtx_says(node) == FIRST


def test_what_cannot_be(changer: Changer) -> None:
    with pytest.raises(NoSuchBarcode):
        changer.load("TB0009L6")
    with pytest.raises(PlaceEmpty):
        changer.unload()
    with pytest.raises(PlaceFull):
        changer.transfer(1, 2)
    assert as_tapekit_says(changer) == FIRST


def test_it_is_ours_alone(node: str, changer: Changer) -> None:
    assert as_tapekit_says(changer) == FIRST
    with pytest.raises(DriveError):
        open_changer(node)


def test_the_command_says_what_mtx_says(node: str) -> None:
    lines = run("tapekit", "changer", "status", f"changer:{node}").splitlines()
    shown = {f"slot {at}": line.split()[2] for line in lines if (at := line.split()[1]) and line.startswith("slot ")}
    assert {at: barcode for at, barcode in shown.items() if barcode != "-"} == as_mtx_says(node)
    loading = subprocess.run(
        ("tapekit", "changer", "load", f"changer:{node}", "TB0009L6"), capture_output=True, text=True, check=False
    )
    assert (loading.returncode, "TB0004L6 in slot 4" in loading.stderr) == (5, True), loading.stderr
