"""Somebody without the keys, and with time, changes a cartridge: `verify` tells, or nothing opens.

Every digest is made anew, as who means harm would: what is told here is told by signature, directory, journal and
cipher alone.
"""

import copy
import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.base import Content
from formats import block, segment
from formats.block import Kind
from tapekit.errors import Exit, KeyNeeded, VerificationFailed, exit_code
from tapekit.jobs import backup, export, label, verify
from tapekit.keys.opener import NO_KEY, InHand, Opener
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients
from tapekit.keys.signature import signed_trailer
from tapekit.keys.site import SiteKey, site_key
from tapekit.keys.slot import PrivateKey
from tapekit.progress import Silent
from tests.blocks.list_drive import ListDrive
from tests.jobs.cartridges import evidences, request

OWNER = Pair.new("owner", "Anna")
OPENER = InHand(PrivateKey(OWNER))
FIRST, SECOND, THIRD = 2, 3, 4
BLOCK_BYTES = 4096


@pytest.fixture
def key(tmp_path: Path) -> SiteKey:
    return site_key(tmp_path / "state")


@pytest.fixture
def drive(tmp_path: Path, key: SiteKey) -> ListDrive:
    """A cartridge with three encrypted and signed archives, each of another content."""
    made = ListDrive(content=Content.BLANK)
    made.state = dataclasses.replace(made.state, largest_block_bytes=1 << 20)
    label.run(made, barcode="WED-1", pool=None, block_bytes=BLOCK_BYTES, destroy=None, keys=(OWNER.public_line,))
    made.state = dataclasses.replace(made.state, content=Content.CARTRIDGE)
    for number in range(3):
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / "source" / "file").write_bytes(b"%d: name and illness\n" % number * 1000)
        save(made, tmp_path / "source", key)
    return made


def save(drive: ListDrive, source: Path, key: SiteKey | None) -> backup.Result:
    recipients = Recipients((OWNER.public_line,))
    wanted = dataclasses.replace(request(source), recipients=recipients, site_key=key, site="here")
    return backup.run(drive, wanted, Silent(), evidences())


def verified(drive: ListDrive, key: SiteKey, by: Opener = NO_KEY) -> verify.Result:
    trust = verify.Trust(by, (key.line("here"),))
    return verify.run(drive, "all", Silent(), evidences(), trust=trust)


def blocks(drive: ListDrive, file: int) -> list[bytes]:
    return [item for item in drive.files[file].blocks if isinstance(item, bytes)]


def of_kind(drive: ListDrive, file: int, kind: Kind) -> list[int]:
    return [number for number, data in enumerate(blocks(drive, file)) if block.parse(data).kind == kind]


def sealed(head: bytes, payload: bytes) -> bytes:
    return block.seal(head, payload) + payload


def document(drive: ListDrive, file: int, kind: Kind) -> bytes:
    return b"".join(blocks(drive, file)[number][128:] for number in of_kind(drive, file, kind))


def replace(drive: ListDrive, file: int, kind: Kind, content: bytes) -> None:
    """Another document in place of one, in as many blocks, each with a right digest."""
    numbers, room = of_kind(drive, file, kind), BLOCK_BYTES - 128
    for at, number in enumerate(numbers):
        part = content[at * room : (at + 1) * room]
        old = block.parse(blocks(drive, file)[number])
        head = dataclasses.replace(old, payload_bytes=len(part), plain_bytes=len(part), stream_offset=at * room)
        drive.files[file].blocks[number] = sealed(block.authenticated(head), part)


def problems(found: verify.Result) -> str:
    damage = [*found.damage, *(item for result in found.segments for item in result.damage)]
    return "; ".join([*(item.why for item in damage), *found.doubts])


def test_untouched(drive: ListDrive, key: SiteKey) -> None:
    for by in (NO_KEY, OPENER):
        found = verified(drive, key, by)
        assert (found.ok, problems(found)) == (True, "")
        assert [result.signed_by for result in found.segments] == ["here"] * 3


def remove_the_last(drive: ListDrive) -> None:
    del drive.files[THIRD]


def remove_the_middle(drive: ListDrive) -> None:
    del drive.files[SECOND]


def remove_the_first(drive: ListDrive) -> None:
    del drive.files[FIRST]


def swap_archives(drive: ListDrive) -> None:
    files = drive.files
    files[FIRST], files[SECOND] = files[SECOND], files[FIRST]


def repeat_an_archive(drive: ListDrive) -> None:
    drive.files[SECOND] = copy.deepcopy(drive.files[FIRST])


def swap_data_blocks(drive: ListDrive) -> None:
    """Two blocks of one archive change places, each with a header that fits its new one."""
    one, two = of_kind(drive, THIRD, Kind.DATA)[1:3]
    first, second = blocks(drive, THIRD)[one], blocks(drive, THIRD)[two]
    drive.files[THIRD].blocks[one] = sealed(first[:64], second[128:])
    drive.files[THIRD].blocks[two] = sealed(second[:64], first[128:])


def take_a_block_of_another_archive(drive: ListDrive) -> None:
    number = of_kind(drive, THIRD, Kind.DATA)[1]
    mine, foreign = blocks(drive, THIRD)[number], blocks(drive, FIRST)[number]
    drive.files[THIRD].blocks[number] = sealed(mine[:64], foreign[128:])


def cut_data_off(drive: ListDrive) -> None:
    """The last data block is gone; the blocks behind it move up."""
    last = of_kind(drive, THIRD, Kind.DATA)[-1]
    moved = []
    for data in blocks(drive, THIRD)[last + 1 :]:
        header = block.parse(data)
        head = block.authenticated(dataclasses.replace(header, sequence=header.sequence - 1))
        moved.append(sealed(head, data[128:]))
    drive.files[THIRD].blocks[last:] = moved


def replay_an_old_trailer(drive: ListDrive) -> None:
    """That of an earlier archive, moved to this one's place."""
    replace(drive, THIRD, Kind.TRAILER, document(drive, FIRST, Kind.TRAILER))


def change_the_trailer(drive: ListDrive) -> None:
    old = document(drive, THIRD, Kind.TRAILER)
    replace(drive, THIRD, Kind.TRAILER, old.replace(b'"problems":0', b'"problems":1'))


def forget_the_directory(drive: ListDrive) -> None:
    """And the signature with it, which would tell, and all archives that the directory told of."""
    trailer = segment.parse_trailer(document(drive, THIRD, Kind.TRAILER))
    bare = dataclasses.replace(trailer, directory=(), signature=None)
    replace(drive, THIRD, Kind.TRAILER, segment.build_trailer(bare))
    del drive.files[FIRST:THIRD]


def sign_with_another_key(drive: ListDrive, tmp_path: Path) -> None:
    trailer = segment.parse_trailer(document(drive, THIRD, Kind.TRAILER))
    replace(drive, THIRD, Kind.TRAILER, signed_trailer(trailer, site_key(tmp_path / "other"), 1 << 20))


WITHOUT_A_KEY: tuple[tuple[Callable[[ListDrive], None], str], ...] = (
    (remove_the_last, "as this site's journal has it, and is gone"),
    (remove_the_middle, "was here, "),
    (remove_the_first, "was here, "),
    (swap_archives, "was here, now it is"),
    (repeat_an_archive, "was here, now it is"),
    (swap_data_blocks, "the digest over all blocks is not the one in the trailer"),
    (take_a_block_of_another_archive, "the digest over all blocks is not the one in the trailer"),
    (cut_data_off, "trailer"),
    (replay_an_old_trailer, "trailer"),
    (change_the_trailer, "the trailer was changed"),
    (forget_the_directory, "is gone"),
)


@pytest.mark.parametrize(("change", "words"), WITHOUT_A_KEY, ids=lambda value: getattr(value, "__name__", ""))
def test_told_without_a_key(drive: ListDrive, key: SiteKey, change: Callable[[ListDrive], None], words: str) -> None:
    change(drive)
    found = verified(drive, key)
    assert not found.ok
    assert words in problems(found)


def test_another_signature_is_doubtful(drive: ListDrive, key: SiteKey, tmp_path: Path) -> None:
    sign_with_another_key(drive, tmp_path)
    found = verified(drive, key)
    assert found.ok, "everything is whole"
    assert "says it is of here, and is signed by another key" in problems(found)


@pytest.mark.parametrize("change", (swap_data_blocks, take_a_block_of_another_archive), ids=lambda f: f.__name__)
def test_with_a_trailer_that_fits_the_cipher_tells(
    drive: ListDrive, key: SiteKey, change: Callable[[ListDrive], None]
) -> None:
    """Nothing of the blocks comes out, though digests, sums and place are right."""
    change(drive)
    trailer = segment.parse_trailer(document(drive, THIRD, Kind.TRAILER))
    digests = b"".join(block.parse(data).digest for data in blocks(drive, THIRD)[: trailer.blocks.total])
    right = dataclasses.replace(trailer, blocks_sha256=hashlib.sha256(digests).hexdigest(), signature=None)
    replace(drive, THIRD, Kind.TRAILER, segment.build_trailer(right))
    assert verified(drive, key).ok, "unsigned, and without a key nothing is wrong"
    found = verified(drive, key, OPENER)
    assert "cannot be decrypted: it was changed" in problems(found)
    given = bytearray()
    told = export.run(drive, "latest", given.extend, Silent(), OPENER)
    assert told.damaged
    assert b"0: name" not in given


@pytest.mark.parametrize(
    ("old", "new"),
    (
        (b'"job":"backup"', b'"job":"backuq"'),
        (b'"cipher":"AES-256-GCM"', b'"cipher":null'),
        (b'"compression":"none"', b'"compression":"nonf"'),
    ),
)
def test_a_changed_header_opens_nothing(drive: ListDrive, key: SiteKey, old: bytes, new: bytes) -> None:
    before = document(drive, THIRD, Kind.HEADER)
    assert old in before
    replace(drive, THIRD, Kind.HEADER, before.replace(old, new))
    assert not verified(drive, key).ok, "the sum over all blocks tells"
    given = bytearray()
    try:
        told = export.run(drive, "latest", given.extend, Silent(), OPENER)
    except (VerificationFailed, KeyNeeded) as error:
        assert exit_code(error) in {Exit.VERIFICATION, Exit.KEY}  # noqa: PT017
    else:
        assert told.damaged or told.problems
    assert b"illness" not in given
