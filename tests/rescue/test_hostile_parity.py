"""Archives whose parity lies, on a cartridge: tapekit and the kit say what is lost, and give nothing wrong back."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.base import Mark
from formats import block, parity
from formats.block import BlockHead, Kind
from formats.parity import ParityBlock, Shape
from tapekit.blocks import parity as writing
from tapekit.jobs import verify
from tests.jobs.cartridges import Image, new_image, restored
from tests.jobs.test_damage import make_source, snapshot
from tests.rescue.kit import FINE, LOSSES, contents, rescue
from tests.rescue.test_memory import peak_kib

LOST = 3
Blocks = list[bytes]
Lie = Callable[[Blocks, Blocks], Blocks]
"""What becomes of the blocks of an archive, beside those of another one."""


@dataclasses.dataclass(frozen=True)
class Whole:
    """A cartridge with two archives of some groups each, and their blocks."""

    image: Image
    source: Path
    blocks: Blocks
    others: Blocks


def blocks_of(image: Image, file: int) -> Blocks:
    with image.drive() as drive:
        drive.locate(file)
        return [item for item in iter(drive.read_block, Mark.FILEMARK) if isinstance(item, bytes)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("hostile-parity")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEKIT_STATE", str(folder / "state"))
        patch.setattr(writing, "K", 2)
        image, source = new_image(folder / "c.tkc", 16 << 20), make_source(folder / "source", 1)
        (source / "large").write_bytes(os.urandom(600_000))
        for _ in range(2):
            image.back_up(source, parity=True)
    made = Whole(image, source, blocks_of(image, 2), blocks_of(image, 3))
    assert {block.parse(data).parity_group for data in made.blocks} >= {0, 1}
    return made


def resealed(data: bytes, payload: bytes, **changes: int) -> bytes:
    """A block with other content and other fields, its digest right."""
    known = block.parse(data)
    fields = {field.name: getattr(known, field.name) for field in dataclasses.fields(BlockHead)}
    sizes = {"payload_bytes": len(payload)} | ({"plain_bytes": len(payload)} if known.kind == Kind.PARITY else {})
    return block.seal(block.authenticated(BlockHead(**(fields | sizes | changes))), payload) + payload


def told(change: Callable[[ParityBlock], ParityBlock]) -> Lie:
    """Every parity block of the first group says something else."""

    def lie(blocks: Blocks, _: Blocks) -> Blocks:
        return [
            resealed(data, parity.build(change(parity.parse(block.payload(data))))) if is_first(data) else data
            for data in blocks
        ]

    return lie


def is_first(data: bytes) -> bool:
    header = block.parse(data)
    return header.kind == Kind.PARITY and header.parity_group == 0


def of_the_other(blocks: Blocks, others: Blocks) -> Blocks:
    """Parity of another archive, as it is."""
    return [other if is_first(data) else data for data, other in zip(blocks, others, strict=True)]


def of_the_other_as_ours(blocks: Blocks, others: Blocks) -> Blocks:
    archive = block.parse(blocks[0]).archive
    return [
        resealed(other, bytes(block.payload(other)), archive=archive) if is_first(data) else data  # type: ignore[arg-type]
        for data, other in zip(blocks, others, strict=True)
    ]


def places_that_overlap(blocks: Blocks, _: Blocks) -> Blocks:
    """Every second member says that it begins where the one before it did."""
    return [
        resealed(data, bytes(block.payload(data)), parity_offset=max(0, header.parity_offset - 4096))
        if (header := block.parse(data)).kind == Kind.DATA and header.sequence % 2
        else data
        for data in blocks
    ]


def places_far_away(blocks: Blocks, _: Blocks) -> Blocks:
    return [
        resealed(data, bytes(block.payload(data)), parity_offset=0xFFFFF000 + header.sequence)
        if (header := block.parse(data)).kind == Kind.DATA
        else data
        for data in blocks
    ]


def large(one: ParityBlock) -> ParityBlock:
    """As much parity as the format allows, and members as far as it goes."""
    shape = Shape(parity.LARGEST_PARITY_BYTES // one.shape.shard_bytes, 1, one.shape.shard_bytes)
    return dataclasses.replace(one, shape=shape, index=0, member_bytes=0xFFFFFFFF, members=1 << 25)


def missing(one: ParityBlock) -> ParityBlock:
    """As much parity as the format allows, and as many bytes lost as a reader may still think that it can solve."""
    size = one.shape.shard_bytes
    shape = Shape(parity.LARGEST_PARITY_BYTES // size // 3, 3, size)
    return dataclasses.replace(one, shape=shape, index=0, member_bytes=one.member_bytes + 4 * shape.lanes * size - 1)


LIES: dict[str, Lie] = {
    "fewer members": told(lambda one: dataclasses.replace(one, members=one.members - 2)),
    "many members": told(lambda one: dataclasses.replace(one, members=one.member_bytes // 128)),
    "a group within the next": told(lambda one: dataclasses.replace(one, members=one.members * 2)),
    "begins far away": told(lambda one: dataclasses.replace(one, first_sequence=2**63)),
    "smaller": told(lambda one: dataclasses.replace(one, member_bytes=one.member_bytes - 5000)),
    "more lanes": told(lambda one: dataclasses.replace(one, shape=dataclasses.replace(one.shape, lanes=200))),
    "as large as may be": told(large),
    "much is missing": told(missing),
    "other content": told(lambda one: dataclasses.replace(one, parity=bytes(len(one.parity)))),
    "of another archive": of_the_other,
    "of another archive, as ours": of_the_other_as_ours,
    "places that overlap": places_that_overlap,
    "places far away": places_far_away,
}
SOME = ("many members", "a group within the next", "of another archive, as ours", "places that overlap")


def lying(whole: Whole, lie: str, path: Path) -> Image:
    """A cartridge with the archive as the lie has it; one block of data is lost."""
    shutil.copyfile(whole.image.path, path)
    image = Image(path)
    with image.drive(writable=True) as drive:
        drive.locate(2)
        for number, data in enumerate(LIES[lie](whole.blocks, whole.others)):
            drive.write_block(bytes(len(data)) if number == LOST else data)
        drive.write_filemark()
    return image


@pytest.mark.parametrize(
    "lie", (*SOME, *(pytest.param(lie, marks=pytest.mark.long) for lie in LIES if lie not in SOME))
)
def test_nothing_wrong_comes_back(whole: Whole, tmp_path: Path, lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    image = lying(whole, lie, tmp_path / "c.tkc")
    check_named(image.verify(), whole)
    done = image.restore(tmp_path / "to")
    there, back = snapshot(whole.source), snapshot(restored(tmp_path / "to", whole.source))
    wrong = {name for name in there if back.get(name) != there[name]}
    assert len(wrong) <= 2 * len(done.damaged)  # a file that is damaged, and the time of its directory
    run = rescue("restore", image.path, "--to", tmp_path / "kit")
    assert run.code in (FINE, LOSSES), run.err
    kit = contents(tmp_path / "kit")
    found = (path for path in whole.source.rglob("*") if path.is_file() and not path.is_symlink())
    source = {path.name: path.read_bytes() for path in found}
    for name, content in kit.items():
        assert name.endswith(".damaged") or source[os.path.basename(name)] == content, name
    missing = source.keys() - {os.path.basename(name) for name in kit if not name.endswith(".damaged")}
    assert missing <= {os.path.basename(os.fsdecode(path)) for path, _ in done.damaged}
    assert run.code == LOSSES or not missing


def check_named(found: verify.Result, whole: Whole) -> None:
    """The block that was lost is corrected or named; of the others none but parity is said to be bad."""
    corrected = {item.block for item in found.corrected if item.file == 2}
    damaged = {item.block for segment in found.segments for item in segment.damage if item.block is not None}
    assert LOST in corrected | damaged
    others = {Kind(block.parse(whole.blocks[number]).kind) for number in damaged - {LOST}}
    assert others <= {Kind.PARITY}


def test_memory(whole: Whole, tmp_path: Path) -> None:
    """Of the kit: the sums, and little beside them."""
    usual = peak_kib("check", whole.image.path)
    image = lying(whole, "much is missing", tmp_path / "c.tkc")
    assert peak_kib("check", image.path) - usual < 2 * parity.LARGEST_PARITY_BYTES >> 10
