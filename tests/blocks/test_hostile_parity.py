"""Parity blocks that lie: nothing that they say brings a wrong block, much memory, or a long time."""

import dataclasses
import struct
from collections.abc import Callable

import pytest

from formats import block, parity
from formats.block import BlockHead, Kind
from formats.parity import ParityBlock, Shape
from tapekit.blocks.correct import correcting
from tapekit.blocks.read import BadBlock, GoodBlock
from tests.blocks.list_drive import ListDrive, unreadable
from tests.blocks.test_correct import ARCHIVE, groups, read_all, written
from tests.formats.test_bounds import peak_bytes

WHOLE = written(60)
FIRST = groups(WHOLE)[0]
MIB = 1 << 20


def changed(change: Callable[[ParityBlock], ParityBlock]) -> ListDrive:
    """The segment with block 3 lost, and every parity block of its group changed, its digest right."""
    drive = ListDrive(list(WHOLE.files[0].blocks))
    blocks = drive.files[0].blocks
    for number in FIRST[-6:]:
        data = blocks[number]
        assert isinstance(data, bytes)
        header = block.parse(data)
        payload = parity.build(change(parity.parse(block.payload(data))))
        head = BlockHead(
            Kind.PARITY, 0, len(payload), ARCHIVE, 3, header.parity_group, header.sequence, 0, len(payload)
        )  # fmt: skip
        blocks[number] = block.seal(block.authenticated(head), payload) + payload
    blocks[3] = unreadable(0, 3)
    return drive


def missing(one: ParityBlock) -> ParityBlock:
    """The largest parity, and as many bytes behind the members as a reader may still think that it can solve."""
    size = one.shape.shard_bytes
    shape = Shape(parity.LARGEST_PARITY_BYTES // size // 3, 3, size)
    gap = (shape.m + 1) * shape.lanes * size
    return dataclasses.replace(one, shape=shape, index=0, member_bytes=one.member_bytes + gap - 1)


LIES: dict[str, Callable[[ParityBlock], ParityBlock]] = {
    "other content": lambda one: dataclasses.replace(one, parity=bytes(len(one.parity))),
    "fewer members": lambda one: dataclasses.replace(one, members=one.members - 2),
    "more members": lambda one: dataclasses.replace(one, members=one.members + 5),
    "begins later": lambda one: dataclasses.replace(one, first_sequence=one.first_sequence + 1),
    "begins far away": lambda one: dataclasses.replace(one, first_sequence=2**63),
    "smaller": lambda one: dataclasses.replace(one, member_bytes=one.member_bytes - 5000),
    "as large as may be": lambda one: dataclasses.replace(one, member_bytes=one.shape.most_bytes),
    "as much missing as is tried": missing,
    "more lanes": lambda one: dataclasses.replace(one, shape=Shape(4, 2, one.shape.shard_bytes)),
    "very many lanes": lambda one: dataclasses.replace(one, shape=Shape(8000, 2, one.shape.shard_bytes)),
    "one parity": lambda one: dataclasses.replace(one, shape=Shape(3, 1, one.shape.shard_bytes), index=0),
    "small shards": lambda one: dataclasses.replace(
        one, shape=Shape(0xFFFF, 2, 64), parity=one.parity[:64], member_bytes=min(one.member_bytes, 0xFFFF * 64 * 255)
    ),
    "all the first": lambda one: dataclasses.replace(one, index=0, lane=0),
}
LARGE = ("very many lanes", "as much missing as is tried")
"""Lies for which much memory might be made."""


@pytest.mark.parametrize("lie", LIES)
def test_nothing_wrong_comes_back(lie: str) -> None:
    drive = changed(LIES[lie])
    corrector = correcting(drive)
    for item, data in zip(read_all(corrector), WHOLE.files[0].blocks, strict=True):
        if isinstance(item, BadBlock):
            assert item.number == 3
        elif item.header.kind != Kind.PARITY:
            assert item.data == data


@pytest.mark.parametrize("lie", [lie if lie in LARGE else pytest.param(lie, marks=pytest.mark.long) for lie in LIES])
def test_memory(lie: str) -> None:
    drive = changed(LIES[lie])
    assert peak_bytes(lambda: read_all(correcting(drive))) < 2 * parity.LARGEST_PARITY_BYTES


def test_a_rebuilt_block_of_another_place() -> None:
    """A good block put where the lost one was, says where it belongs: it is not taken for the lost one."""
    drive = ListDrive(list(WHOLE.files[0].blocks))
    drive.files[0].blocks[3] = drive.files[0].blocks[4]
    found = read_all(correcting(drive))
    assert isinstance(found[3], GoodBlock)
    assert found[3].data == WHOLE.files[0].blocks[3]


def test_garbage_payload() -> None:
    """A parity block whose payload is none, its digest right."""
    drive = changed(lambda one: one)
    for number in FIRST[-6:]:
        payload = struct.pack(">4sBB", b"TKP1", 2, 0)
        sequence = 100 + number
        head = BlockHead(Kind.PARITY, 0, len(payload), ARCHIVE, 3, 0, sequence, 0, len(payload))
        drive.files[0].blocks[number] = block.seal(block.authenticated(head), payload) + payload
    assert [item.number for item in read_all(correcting(drive)) if isinstance(item, BadBlock)] == [3]
