"""The server is stolen, with all its files and its cartridges: nothing that it holds is a key that opens an archive.

That no 32 bytes of it open a block either, `tests/jobs/nightly/test_keys.py` shows.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import image
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import KeyNeeded, KeyRefused
from tapekit.keys import keyfile, ring
from tapekit.keys.opener import InHand
from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret
from tapekit.keys.slot import Passphrase, PrivateKey
from tests.jobs.nightly.site import Site

OWNER = Pair.new("owner", "Marie")
TOKEN = re.compile(rb"[0-9A-Za-z+/=]{43,}")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A night later."""
    site = Site(tmp_path, keys={"directory": str(tmp_path / "keys")})
    (site.source / "patients").write_bytes(b"name and illness\n" * 1000)
    ring.add(tmp_path / "keys", OWNER.public_line)
    site.put_in("MON-1")
    assert site.run().archive
    return site


def loot(site: Site) -> Iterator[tuple[Path, bytes]]:
    """Every file but what is saved itself, and the cartridges."""
    for path in sorted(site.root.rglob("*")):
        if path.is_file() and path.suffix != ".tkc" and not path.is_relative_to(site.source):
            yield path, path.read_bytes()


def tokens(content: bytes) -> Iterator[bytes]:
    """What could be bytes written as text."""
    for token in TOKEN.findall(content):
        for decode in (bytes.fromhex, base64.b64decode):
            try:
                yield decode(token.decode())
            except (ValueError, binascii.Error):
                continue


def test_no_file_of_it_is_a_private_key_or_a_passphrase(site: Site) -> None:
    drive = image.open_drive(str(site.cartridge("MON-1")), writable=False)
    try:
        cartridge = open_cartridge(drive)
        (segment,) = cartridge.segments()
        for path, content in loot(site):
            path.chmod(0o600)
            with pytest.raises((KeyNeeded, KeyRefused)):
                keyfile.read(path)
            seeds = [content[:32], *(found[:32] for found in tokens(content)), *(f[-32:] for f in tokens(content))]
            for seed in {seed for seed in seeds if len(seed) == 32}:
                with pytest.raises((KeyNeeded, KeyRefused)):
                    cartridge.unlock(segment, InHand(PrivateKey(Pair("owner", "thief", Secret(seed)))))
            with pytest.raises((KeyNeeded, KeyRefused)):
                cartridge.unlock(segment, InHand(Passphrase(Secret(content))))
    finally:
        drive.close()


def test_the_search_would_find_one(site: Site) -> None:
    """A private key left behind is among what is tried."""
    (site.root / "state").mkdir(exist_ok=True)
    (site.root / "left behind").write_text(f"seed {bytes(OWNER.secret.content).hex()}0\n"[:-2])
    found = {bytes(seed[:32]) for _, content in loot(site) for seed in tokens(content)}
    assert bytes(OWNER.secret.content) in found
