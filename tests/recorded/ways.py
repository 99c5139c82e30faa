"""Sessions with tape drives and changers: written down in the rig, played where there is none.

Both stand below drivers.tape.open and drivers.changer.open, so that everything above does what it always does. A
session has a changer, a drive and another one at most: who looks for drives finds no more.
"""

import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.changer import open as changer_open
from drivers.errors import NoDevice
from drivers.scsi.record import Device, Player, Recorder, Said
from drivers.scsi.sg import SgTransport
from drivers.tape import open as tape_open
from drivers.tape.drive import TapeDrive
from drivers.tape.nodes import nodes_of
from fixtures.rdx import RECORDED
from fixtures.sysfs import Tree
from tapekit.blocks.read import BadBlock, BlockRun, FileEnd, GoodBlock, read_one
from tapekit.cartridge import kit
from tapekit.jobs import label


@contextlib.contextmanager
def recording(folder: Path, name: str, **devices: str) -> Iterator[None]:
    """Write down into a file of the folder what is said to these devices, given by their sg nodes."""
    names = {node: name for name, node in devices.items()}
    said = Said()

    def way(node: str, *, exclusive: bool = False) -> Recorder:
        if node not in names:
            raise NoDevice(f"{node}: is not of this session")
        return Recorder(SgTransport(node, exclusive=exclusive), file, Device(names[node], said))

    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.txt").open("x") as file, pytest.MonkeyPatch.context() as patch:
        _lead(patch, way)
        yield


class Playing:
    """What is said to devices that are not there is answered by a transcript; `drive` and `changer` are their URLs."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path, lines: Iterable[str]) -> None:
        """Lead everything here, from below `root`."""
        tree = Tree(root)
        tree.scsi("sg0", 8, "TANDBERG", "StorageLoader", "")
        for number in range(2):
            tree.scsi(f"sg{1 + number}", 1, "TANDBERG", "LTO-6 HH", "", st=f"st{number}")
        self.drive, self.changer = f"tape:{root}/dev/nst0", f"changer:{root}/dev/sg0"
        known = [line for line in lines if not line.startswith("#")]
        self._devices = {line.partition(" ")[0] for line in known}
        self._lines = iter(known)
        self._said = Said()
        _lead(patch, self._way)
        patch.setattr(tape_open, "nodes_of", functools.partial(nodes_of, sysfs=root / "sys"))
        found = functools.partial(changer_open.drive_nodes, root / "sys")
        patch.setattr(changer_open, "drive_nodes", found)

    def left(self) -> list[str]:
        """What of the transcript was not said."""
        return list(self._lines)

    def _way(self, node: str, *, exclusive: bool = False) -> Player:
        name = {"sg0": "changer", "sg1": "drive", "sg2": "other"}[Path(node).name]
        if name not in self._devices:
            raise NoDevice(f"{node}: is not of this session")
        return Player(node, self._lines, Device(name, self._said))


def transcript(name: str) -> list[str]:
    """The lines of a session."""
    return (RECORDED / f"{name}.txt").read_text().splitlines()


def _lead(patch: pytest.MonkeyPatch, way: object) -> None:
    """Have the drivers open devices so, and nothing in a session be left to chance or to another version."""
    for module in (tape_open, changer_open):
        patch.setattr(module, "SgTransport", way)
    patch.setattr(kit, "files", lambda: {"README.txt": b"in the rig", "rescue.py": b"raise SystemExit"})
    patch.setattr(label, "__version__", "0")
    # How much is gathered, and what a thread has read ahead when it is stopped, depends on how fast it was.
    patch.setattr(TapeDrive, "_streaming", lambda _: None)
    for name, method in (("_begin", _begin), ("__iter__", _each), ("close", lambda _: [])):
        patch.setattr(BlockRun, name, method)


def _begin(run: Any, start: int) -> None:  # noqa: ANN401 - a BlockRun, whose insides these are
    run._drive.locate(run._file, start)
    run._start = start


def _each(run: Any) -> Iterator[GoodBlock | BadBlock | FileEnd]:  # noqa: ANN401
    for number in itertools.count(run._start):
        item = read_one(run._drive, number, run._expected)
        yield item
        if isinstance(item, FileEnd):
            return
