"""No key meets a nonce twice: over many archives, and over crashes with backups that go on behind them."""

import dataclasses
from pathlib import Path

import pytest

from drivers.base import Content
from drivers.errors import DriveError
from tapekit.blocks import cipher
from tapekit.blocks.cipher import BlockCipher
from tapekit.jobs import backup, label
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients
from tapekit.keys.segment import SegmentKeys
from tapekit.progress import Silent
from tests.blocks.list_drive import ListDrive
from tests.jobs.cartridges import evidences, request

RECIPIENTS = Recipients((Pair.new("owner", "Anna").public_line,))
EVERY = 3
"""So many backups, and the next one crashes in its middle."""
ON_ONE_CARTRIDGE = 50


class Crash(DriveError):
    """Power cut, as far as the writer can tell."""


def new_cartridge() -> ListDrive:
    made = ListDrive(content=Content.BLANK)
    made.state = dataclasses.replace(made.state, largest_block_bytes=1 << 20)
    label.run(made, barcode="WED-1", pool=None, block_bytes=4096, destroy=None)
    made.state = dataclasses.replace(made.state, content=Content.CARTRIDGE)
    return made


@pytest.mark.parametrize("archives", (24, pytest.param(1000, marks=pytest.mark.long)))
def test_no_key_meets_a_nonce_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archives: int) -> None:
    used: list[tuple[bytes, bytes]] = []
    real, keys = BlockCipher.encrypt_into, {}
    begin = BlockCipher.__init__

    def remember(self: BlockCipher, found: SegmentKeys) -> None:
        keys[id(self)] = {3: bytes(found.data.content) if found.data else b"", 5: bytes(found.catalog.content)}
        begin(self, found)

    def spying(self: BlockCipher, head: bytes, plain: "bytes | memoryview", target: memoryview) -> None:
        used.append((keys[id(self)][head[8]], cipher._nonce(head)))
        real(self, head, plain, target)

    monkeypatch.setattr(BlockCipher, "__init__", remember)
    monkeypatch.setattr(BlockCipher, "encrypt_into", spying)
    (tmp_path / "file").write_bytes(bytes(40_000))
    wanted = dataclasses.replace(request(tmp_path / "file"), recipients=RECIPIENTS)
    drive, crashes = new_cartridge(), 0
    for number in range(archives):
        if number % ON_ONE_CARTRIDGE == ON_ONE_CARTRIDGE - 1:
            drive = new_cartridge()
        blocks = 0

        def cut(_data: bytes, number: int = number) -> None:
            nonlocal blocks
            blocks += 1
            if number % (EVERY + 1) == EVERY and blocks == 6:
                raise Crash("list: power cut")

        drive.before_write = cut
        try:
            backup.run(drive, wanted, Silent(), evidences())
        except Crash:
            crashes += 1
    assert crashes == archives // (EVERY + 1)
    assert len(used) > archives * 6
    assert len(set(used)) == len(used)
    assert len({key for key, _ in used}) >= 2 * (archives - crashes)
