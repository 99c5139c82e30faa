"""What is done in the rig and written down there, and done again where there is none.

Each is a generator: where it yields, the rig puts a cartridge in, or asks other people's tools; elsewhere nothing
happens, as the transcript has the answers to what comes then.
"""

from collections.abc import Callable, Iterator

from drivers.changer.changer import Changer
from tapekit.report.night import Outcome
from tests.cli.conftest import Ran, Run
from tests.rig.site import PROVEN, UsbSite


def well(tapekit: Run, *arguments: object) -> Ran:
    """A command that has to end well."""
    done = tapekit(*arguments)
    assert done.code == 0, (arguments, done)
    return done


def two_nights(tapekit: Run, site: UsbSite) -> Iterator[None]:
    """A cartridge is labelled, has two nights, each of which lets it go, is read back, and gives a small file."""
    named = ("--config", site.write_configuration())
    (site.source / "database").write_bytes(bytes(range(256)) * 2000)
    well(tapekit, *named, "label", "rdx", "--barcode", "MON-1", "--pool", "daily", "--block-size", "64k")
    for _ in range(2):
        night = site.next_night()
        assert (night.outcome, frozenset(night.rungs)) == (Outcome.CLEAN, PROVEN), night
        yield
    assert site.whole_archives() == 2
    yield
    well(tapekit, *named, "restore", "rdx", "*/file", "--to", site.root / "back")
    assert next((site.root / "back").rglob("file")).read_bytes() == (site.source / "file").read_bytes()


def a_night_of_its_changer(tapekit: Run, site: UsbSite, changer: str, barcode: str) -> None:
    """The night takes its cartridge out of a slot, and puts it back; then somebody wants a file."""
    site.drive_options = {"changer": changer}
    site.rotation = {"scheme": "round-robin", "pool": "daily", "cartridges": [barcode]}
    named = ("--config", site.write_configuration())
    night = site.next_night()
    assert ([one.name for one in night.cartridges], night.outcome) == ([barcode], Outcome.CLEAN), night
    assert well(tapekit, *named, "changer", "load", "rdx", barcode).out == f"{barcode} is in drive 0\n"
    well(tapekit, *named, "restore", "rdx", "*/file", "--to", site.root / "back")
    assert next((site.root / "back").rglob("file")).read_bytes() == (site.source / "file").read_bytes()
    well(tapekit, *named, "changer", "unload", "rdx")


def as_tapekit_says(changer: Changer) -> dict[str, str]:
    """What is in each place that is full."""
    found = changer.inventory()
    return {spot.name: spot.element.barcode for spot in (*found.drives, *found.slots) if spot.element.is_full}


def moves(opened: Callable[[], Changer]) -> Iterator[dict[str, str]]:
    """Loaded by barcode, brought to the import/export slot, and back; yields what is where, the changer closed.

    After the first yield, somebody has brought what was in the first drive, and in the last slot, home.
    """
    changer = opened()
    changer.load("TB0003L6")
    changer.load("TB0001L6", drive=1)
    changer.transfer(2, 7)
    where = as_tapekit_says(changer)
    changer.close()
    yield where
    changer = opened()
    assert changer.unload(1).name == "slot 1"
    where = as_tapekit_says(changer)
    changer.close()
    yield where
