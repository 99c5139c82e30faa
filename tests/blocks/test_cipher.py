"""Encrypted blocks: one opens as what it is, where it is, and not otherwise."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from formats import block
from formats.block import Flags, Kind
from formats.errors import Damaged, NewerFormat
from tapekit.blocks.cipher import BlockCipher
from tapekit.blocks.codec import NoCompressor, ZstdCompressor
from tapekit.blocks.read import GoodBlock, decode
from tapekit.blocks.write import SegmentWriter
from tapekit.errors import KeyNeeded
from tapekit.keys.secret import Secret
from tapekit.keys.segment import SegmentKeys
from tests.blocks.list_drive import ListDrive

ARCHIVE = bytes(range(16))
BLOCK_BYTES = 4096
DATA_KEY, CATALOG_KEY = bytes(range(32)), bytes(range(32, 64))
KEYS = SegmentKeys(Secret(DATA_KEY), Secret(CATALOG_KEY))
CIPHER = BlockCipher(KEYS)
NAMES_ONLY = BlockCipher(SegmentKeys(None, Secret(CATALOG_KEY)))
TEXT = b"name and illness\n" * 200


def written(
    *plains: bytes, archive: bytes = ARCHIVE, segment: int = 0, start: int = 0, zstd: bool = False,
    cipher: BlockCipher | None = CIPHER,
) -> list[bytes]:  # fmt: skip
    """The blocks of a segment with these data blocks, and one catalog block."""
    drive = ListDrive()
    packing = ZstdCompressor() if zstd else NoCompressor()
    writer = SegmentWriter(drive, archive, segment, start, BLOCK_BYTES, packing, cipher)
    with writer.threads():
        for number, plain in enumerate(plains):
            buffer = writer.buffer()
            buffer[block.HEADER_BYTES : block.HEADER_BYTES + len(plain)] = plain
            writer.write_data(buffer, len(plain), number * writer.cut)
        writer.write_table(TEXT, len(TEXT), 0, last=True)
        writer.drain()
    return [bytes(item) for item in drive.files[0].blocks if isinstance(item, bytes)]


def opened(data: bytes, cipher: BlockCipher | None = CIPHER) -> bytes:
    return bytes(decode(GoodBlock(0, block.parse(data), data), cipher))


def sealed(head: bytes, payload: bytes) -> bytes:
    """A block whose digest is right, whatever it holds: who means harm makes such ones."""
    return block.seal(head, payload) + payload


@pytest.mark.parametrize("zstd", (False, True))
@given(plains=st.lists(st.binary(min_size=1, max_size=BLOCK_BYTES - 144), min_size=1, max_size=6))
def test_round_trip(plains: list[bytes], *, zstd: bool) -> None:
    blocks = written(*plains, zstd=zstd)
    assert [opened(data) for data in blocks] == [*plains, TEXT]
    assert all(len(data) <= BLOCK_BYTES for data in blocks)


def test_known_answer() -> None:
    """Judged by AES-GCM alone: nonce = segment, sequence; associated data = 64 bytes of the header."""
    data, catalog = written(TEXT, segment=3, start=5)
    nonce = (3).to_bytes(4, "big")
    assert AESGCM(DATA_KEY).decrypt(nonce + (5).to_bytes(8, "big"), data[128:], data[:64]) == TEXT
    assert AESGCM(CATALOG_KEY).decrypt(nonce + (6).to_bytes(8, "big"), catalog[128:], catalog[:64]) == TEXT
    assert block.parse(data).flags == Flags.ENCRYPTED
    assert block.parse(catalog).flags == Flags.ENCRYPTED | Flags.LAST


def test_every_flipped_bit_of_what_is_covered_is_noticed() -> None:
    """With the digest made anew. What the header says wrongly of its own form is refused before."""
    data = written(b"plain text")[0]
    covered = data[:64] + data[128:]
    for bit in range(len(covered) * 8):
        changed = bytearray(covered)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Damaged, NewerFormat, KeyNeeded)):
            opened(sealed(bytes(changed[:64]), bytes(changed[64:])))


def test_blocks_cannot_change_places() -> None:
    """Between places, kinds, segments and archives, each with a header that fits where it stands."""
    here, there = written(TEXT, TEXT)[:2]
    other_archive = written(TEXT, archive=bytes(16))[0]
    other_segment = written(TEXT, segment=1)[0]
    catalog = written(TEXT)[1]
    for foreign in (there, other_archive, other_segment, catalog):
        with pytest.raises(Damaged, match="cannot be decrypted"):
            opened(sealed(here[:64], foreign[128:]))


def test_what_is_not_encrypted_is_not_believed() -> None:
    for data in written(TEXT, cipher=None):
        with pytest.raises(Damaged, match="not encrypted, though its archive is"):
            opened(data)


@pytest.mark.parametrize("size", (0, 1, 15, 16))
def test_too_short_for_a_tag(size: int) -> None:
    header = block.parse(written(TEXT)[0])
    head = block.authenticated(dataclasses.replace(header, payload_bytes=size))
    with pytest.raises(Damaged):
        opened(sealed(head, bytes(size)))


def test_names_alone() -> None:
    data, catalog = written(TEXT)
    assert opened(catalog, NAMES_ONLY) == TEXT
    with pytest.raises(KeyNeeded, match="opens the list of files only"):
        opened(data, NAMES_ONLY)
    with pytest.raises(KeyNeeded, match="nothing opens it"):
        opened(data, None)


def test_a_data_block_that_says_it_is_a_catalog_block() -> None:
    """The catalog's key opens no data block that was given another kind."""
    data = written(TEXT)[0]
    head = bytearray(data[:64])
    head[8] = Kind.CATALOG
    with pytest.raises(Damaged):
        opened(sealed(bytes(head), data[128:]), NAMES_ONLY)


def test_no_nonce_twice() -> None:
    """Data and catalog blocks in one row, compressed and not, whatever the size."""
    blocks = written(*[TEXT] * 50, b"x", bytes(range(256)) * 10, zstd=True)
    nonces = [(block.parse(data).segment, block.parse(data).sequence) for data in blocks]
    assert len(set(nonces)) == len(nonces) == 53
