"""A changer and its drive under the kernel's own ch, st and sg: an archive from slot to slot, and the ways back."""

import re
import shutil
from pathlib import Path

import pytest

from drivers.virtual.changer import Plan
from fixtures.rig.attach import run as run_well
from fixtures.rig.library import Library
from tests.cli.conftest import Run
from tests.jobs.spanned import noise_tree
from tests.jobs.test_spanning import same
from tests.recorded.sessions import a_night_of_its_changer, well
from tests.recorded.ways import recording
from tests.rescue.kit import FINE
from tests.rescue.test_fed_by_hand import feed
from tests.rig.site import UsbSite

MB = 10**6
NIGHTLY, SPANNED = "TL0001L6", ("TL0002L6", "TL0003L6", "TL0004L6")
SIZES = {NIGHTLY: 64 * MB, **dict.fromkeys(SPANNED, 3 * MB)}
"""Of the cartridges, in the slots from 1 on."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library") / "changer"
    return Library(folder, Plan(drives=1, slots=6, serial="VCRIG00001"), SIZES)


@pytest.fixture
def tapekit(run: Run, library: Library, tmp_path: Path) -> Run:
    """The command, with the drive and its changer as `lto`; it has to end well."""
    toml = tmp_path / "library.toml"
    drive = f'{{url = "tape:{library.drives[0].st}", changer = "changer:{library.sg}"}}'
    toml.write_text(f'site = {{name = "test", state = "{tmp_path}/state"}}\ndrives = {{lto = {drive}}}\n')
    return lambda *arguments: well(run, "--config", toml, *arguments)


def test_a_night_of_its_changer(run: Run, library: Library, tmp_path: Path, shared: Path) -> None:
    before, (drive,) = mtx_says(library), library.drives
    site = UsbSite(tmp_path, url=f"tape:{drive.st}", options={"parity": False, "spool": None})
    with recording(shared / "recorded", "changer-night", changer=library.sg, drive=drive.sg):
        a_night_of_its_changer(run, site, f"changer:{library.sg}", NIGHTLY)
    assert mtx_says(library) == before


def test_from_slot_to_slot_and_the_ways_back(tapekit: Run, library: Library, tmp_path: Path) -> None:
    """An archive over three cartridges, from the second slot on."""
    tree = noise_tree(tmp_path / "tree", [1 << 20] * 4)
    tapekit("changer", "load", "lto", SPANNED[0])
    tapekit("label", "lto", "--barcode", SPANNED[0], "--block-size", "64k", "--pool", "daily")
    done = tapekit("backup", "lto", tree, "--json").answer
    assert tuple(part["cartridge"] for part in done["cartridges"]) == SPANNED
    agrees_with_other_tools(tapekit, library)

    totals = library.decks[0].totals
    before = totals.host_read
    tapekit("restore", "lto", "*/0002", "--to", tmp_path / "one")
    assert next((tmp_path / "one").rglob("0002")).read_bytes() == (tree / "0002").read_bytes()
    assert totals.host_read - before < 3 << 20  # of that file, and what tells where it is
    tapekit("restore", "lto", "--to", tmp_path / "all")
    assert same(tmp_path / "all", tree)

    comes_back_by_the_kit_alone(library, tree, tmp_path / "kit")
    the_catalog_comes_back(tapekit, tmp_path / "state")


def mtx_says(library: Library) -> dict[str, str]:
    """What is in each place that is full."""
    lines = run_well("mtx", "-f", library.sg, "status")
    found = re.findall(r"(Data Transfer|Storage) Element (\d+).*:Full.*VolumeTag\s*=\s*(\S+)", lines)
    return {f"{'drive' if kind[0] == 'D' else 'slot'} {number}": barcode for kind, number, barcode in found}


def agrees_with_other_tools(tapekit: Run, library: Library) -> None:
    """What tapekit says of the drive, the cartridge in it, and the slots."""
    (drive,) = library.drives
    robot = tapekit("changer", "status", "lto", "--json").answer
    places = (("drive", robot["drives"]), ("slot", robot["slots"]))
    where = {f"{kind} {one['number']}": one["barcode"] for kind, each in places for one in each if one["full"]}
    assert where == mtx_says(library)
    assert where["drive 0"] == SPANNED[-1]
    seen = tapekit("inspect", "lto", "--json").answer
    attributes = run_well("sg_read_attr", drive.sg)
    chip = dict(re.findall(r"(Barcode|Remaining capacity in partition).*?: *(\S*)", attributes))
    left = str(seen["remaining_bytes"] >> 20)
    assert chip == {"Barcode": seen["barcode"], "Remaining capacity in partition": left}
    assert seen["device"]["serial"] == robot["drives"][0]["device"]
    assert seen["device"]["serial"] in run_well("sg_vpd", "--page=sn", drive.sg)
    status = run_well("mt", "-f", drive.st, "status")
    assert ("LTO-6" in status, "WR_PROT" in status) == (True, seen["write_protected"])
    mounts = re.search(r"Thread count: (\d+)", run_well("sg_logs", "--page=0x17", drive.sg))
    cartridge = library.decks[0].cartridge
    assert mounts is not None
    assert cartridge is not None
    assert int(mounts[1]) == cartridge.fact("loads")


def comes_back_by_the_kit_alone(library: Library, tree: Path, to: Path) -> None:
    """Through the st node, and by mtx: tapekit takes no part."""
    node = library.drives[0].st

    def put_in(name: str) -> None:
        run_well("mt", "-f", node, "offline")
        run_well("mtx", "-f", library.sg, "unload")
        run_well("mtx", "-f", library.sg, "load", str(list(SIZES).index(name) + 1), "0")

    code, said = feed(node, to, SPANNED, list(SPANNED[:-1]), put_in)
    assert code == FINE, said
    assert same(to, tree)


def the_catalog_comes_back(tapekit: Run, state: Path) -> None:
    """From the three cartridges, one after the other; then it knows which of them has a file."""
    known = tapekit("find", "*/0002", "--json").answer
    shutil.rmtree(state)
    for name in SPANNED:
        tapekit("changer", "load", "lto", name)
        tapekit("catalog", "rebuild", "lto")
    assert tapekit("find", "*/0002", "--json").answer == known
