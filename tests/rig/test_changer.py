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
from fixtures.rig.attach import run
from fixtures.rig.tgt import CARTRIDGES, DRIVES, SERIALS, SLOTS, tgt
from tests.recorded.sessions import as_tapekit_says, moves
from tests.recorded.ways import recording

_MTX = re.compile(r"(Data Transfer|Storage) Element (\d+)( IMPORT/EXPORT)?:(Full|Empty)(.*)")


@pytest.fixture(scope="module")
def node() -> str:
    """The sg node of tgt's changer."""
    return tgt().changer


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


FIRST = {f"slot {at}": f"TB000{at}L6" for at in range(1, CARTRIDGES + 1)}


def test_what_is_where(node: str, changer: Changer) -> None:
    assert as_tapekit_says(changer) == FIRST
    assert (changer.identity.vendor, changer.identity.model) == ("TANDBERG", "StorageLoader")
    found = changer.inventory()
    assert [len(found.drives), len(found.slots)] == [DRIVES, SLOTS + 1]
    assert found.slots[-1].name == f"import/export slot {SLOTS + 1}"
    assert found.drives[0].element.device_id
    changer.close()
    assert as_mtx_says(node) == FIRST


def test_a_drive_is_found_by_its_serial_number(changer: Changer) -> None:
    found, nodes = changer.inventory(), drive_nodes()
    assert [node_of(spot, found, nodes) for spot in found.drives] == [nodes[serial] for serial in SERIALS[:DRIVES]]


def test_moves_are_seen_by_mtx_and_its_moves_by_tapekit(node: str, shared: Path) -> None:
    nodes = drive_nodes()
    with recording(shared / "recorded", "tgt-changer", changer=node, drive=nodes[SERIALS[0]], other=nodes[SERIALS[1]]):
        session = moves(lambda: open_changer(node))
        moved = next(session)
        assert moved == as_mtx_says(node)
        assert moved == {
            "drive 0": "TB0003L6", "drive 1": "TB0001L6", "slot 4": "TB0004L6", "import/export slot 7": "TB0002L6",
        }  # fmt: skip
        run("mtx", "-f", node, "unload", "3", "0")
        run("mtx", "-f", node, "transfer", "7", "2")
        assert next(session) == as_mtx_says(node) == FIRST


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
