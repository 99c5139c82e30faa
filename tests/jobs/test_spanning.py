"""An archive over several cartridges: written, and read by the rescue kit, which shares no line with tapekit."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from formats.segment import COMPLETE, CONTINUED
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.jobs import export, restore, verify
from tapekit.jobs.verify_segment import Carried
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, request, restored
from tests.jobs.spanned import asking, new_images, noise_tree, restore_from, span
from tests.rescue.kit import FINE, LOSSES, rescue


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = noise_tree(tmp_path / "source", [100, 700_000, 3, 0, 1_500_000, 4096, *[300] * 500, 400_000])
    (made / "dir" / "empty").mkdir(parents=True)
    (made / "link").symlink_to("0001")
    (made / "zz-other-name").hardlink_to(made / "0001")
    return made


def same(to: Path, source: Path) -> bool:
    below = restored(to, source)
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    return bool(files) and all((below / path).read_bytes() == (source / path).read_bytes() for path in files)


def states(images: list[Image]) -> list[list[str]]:
    found = []
    for of in images:
        with of.drive() as drive:
            found.append([segment.state for segment in open_cartridge(drive).segments()])
    return found


def test_over_as_many_cartridges_as_it_takes(tmp_path: Path, source: Path) -> None:
    images = new_images(tmp_path, 6)
    done = span(images, request(source))
    used = len(done.parts)
    assert used > 2
    assert [part.cartridge for part in done.parts] == [f"S-{n}" for n in range(1, used + 1)]
    assert states(images) == [*[[CONTINUED]] * (used - 1), [COMPLETE], *[[]] * (6 - used)]
    run = rescue("restore", images[0].path, "--to", tmp_path / "to", *also(images[1:used]))
    assert (run.code, run.err.count("lost")) == (FINE, 0), run.err
    assert same(tmp_path / "to", source)


def also(images: list[Image]) -> list[str]:
    return [word for of in images for word in ("--also", str(of.path))]


def test_each_part_tells_of_those_before_it(tmp_path: Path, source: Path) -> None:
    images = new_images(tmp_path, 6)
    done = span(images, request(source))
    headers, trailers = [], []
    for of in images[: len(done.parts)]:
        with of.drive() as drive:
            (segment,) = open_cartridge(drive).segments()
        assert segment.header is not None
        assert segment.trailer is not None
        headers.append(segment.header)
        trailers.append((segment.trailer, segment.trailer_sha256))
    offset = sequence = member = 0
    for number, (header, (trailer, _)) in enumerate(zip(headers, trailers, strict=True)):
        assert (header.segment, header.stream_start) == (number, offset)
        assert header.sequence_start >= sequence
        assert trailer.first_member in {member, member - 1}
        assert [json.dumps([p.cartridge, p.name, p.trailer_sha256, p.stream_start]) for p in header.previous] == [
            json.dumps([part.label, part.cartridge, digest, before.stream_start])
            for part, before, (_, digest) in zip(done.parts[:number], headers, trailers, strict=False)
        ]
        offset += trailer.stream_bytes
        sequence = header.sequence_start + trailer.blocks.total + 1
        member = trailer.first_member + trailer.members
    assert member == done.members


# --- read back -------------------------------------------------------------------------------------------------------


@pytest.fixture
def spanned(tmp_path: Path, source: Path) -> list[Image]:
    """An archive over three cartridges or four, on each of which is a piece of the largest file or of many."""
    images = new_images(tmp_path, 6)
    done = span(images, request(source))
    return images[: len(done.parts)]


@pytest.mark.parametrize("order", (1, -1))
def test_restored_from_cartridges_in_any_order(spanned: list[Image], source: Path, tmp_path: Path, order: int) -> None:
    result = restore_from(spanned[::order], tmp_path / "to")
    assert (result.damaged, result.problems, result.refused, result.warnings) == ([], [], [], [])
    assert (result.state, result.cartridges) == (COMPLETE, [f"S-{n + 1}" for n in range(len(spanned))])
    assert same(tmp_path / "to", source)
    below = restored(tmp_path / "to", source)
    assert (below / "zz-other-name").stat().st_ino == (below / "0001").stat().st_ino


def test_with_each_cartridge_missing(spanned: list[Image], source: Path, tmp_path: Path) -> None:
    """What lies on the others comes back; what does not is named; nothing wrong comes back."""
    names = {path.name for path in source.iterdir() if path.is_file()}
    for missing in range(len(spanned)):
        to = tmp_path / f"to-{missing}"
        result = restore_from([of for n, of in enumerate(spanned) if n != missing], to)
        below = restored(to, source)
        back = {path.name for path in below.iterdir() if path.is_file()}
        assert all((below / name).read_bytes() == (source / name).read_bytes() for name in back)
        hit = {Path(path.decode()).name for path, _ in result.damaged}
        assert back
        assert not hit & back
        assert any(f"part {missing + 1} of archive" in problem for problem in result.problems)
        if missing + 1 < len(spanned):
            assert any(f"(cartridge S-{missing + 1}) is not there" in problem for problem in result.problems)
        first, *others = [of for n, of in enumerate(spanned) if n != missing]
        run = rescue("restore", first.path, "--to", tmp_path / f"kit-{missing}", *also(others))
        kit = restored(tmp_path / f"kit-{missing}", source)
        by_kit = {path.name for path in kit.iterdir() if path.is_file() and ".damaged" not in path.name}
        assert run.code == LOSSES
        assert by_kit == back, run.err
        assert all((kit / name).read_bytes() == (source / name).read_bytes() for name in by_kit)
        assert names - back


def exported(images: list[Image]) -> tuple[bytes, export.Result]:
    out = bytearray()
    with images[0].drive() as drive, asking(images[1:]) as further:
        result = export.run(drive, "latest", out.extend, Silent(), next_cartridge=further)
    return bytes(out), result


def test_exported_over_the_borders(spanned: list[Image], source: Path) -> None:
    out, result = exported(spanned)
    assert (result.damaged, result.problems) == ([], [])
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        content = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        for path in source.iterdir():
            if path.is_file() and not path.is_symlink() and not path.name.startswith("zz"):
                taken = content[str(path)[1:]]
                assert taken is not None
                assert taken.read() == path.read_bytes()


def test_exported_without_one_cartridge(spanned: list[Image]) -> None:
    """tar goes on behind what is missing, and what is there comes out as it was."""
    for missing in range(len(spanned)):
        out, result = exported([of for n, of in enumerate(spanned) if n != missing])
        assert result.problems
        with tarfile.open(fileobj=io.BytesIO(out)) as tar:
            names = tar.getnames()
        assert len(names) == result.members > 3


@pytest.mark.parametrize("is_told_late", (False, True))
def test_no_zeros_for_a_part_that_is_not_there(tmp_path: Path, is_told_late: bool) -> None:  # noqa: FBT001
    """Most of a large file is on the others. A person may have them, and turn out not to: then the tar ends there."""
    images = new_images(tmp_path, 6)
    source = noise_tree(tmp_path / "large", [100, 4_000_000])
    span(images, request(source))
    out = bytearray()
    with images[0].drive() as drive, asking([]) as further:
        if is_told_late:
            further.may_come = lambda asked: True  # type: ignore[method-assign]
        result = export.run(drive, "latest", out.extend, Silent(), next_cartridge=further)
    assert len(out) < (2_000_000 if is_told_late else 30_000)
    ((path, why),) = result.damaged
    assert path.endswith(b"0001")
    assert "part 2 of archive" in why
    assert ("the tar ends in the middle of it" if is_told_late else "left out") in why


def test_each_part_is_verified_by_itself(spanned: list[Image]) -> None:
    carried = None
    for of in spanned:
        with of.drive() as drive:
            alone = verify.run(drive, "all", Silent(), evidences())
            result = verify.run(drive, "all", Silent(), evidences(), carried=carried)
        assert alone.ok
        assert result.ok
        (segment,) = result.segments
        carried = segment.carried
    assert carried is None


def test_a_member_over_the_border_is_proven_where_both_parts_are_read(spanned: list[Image]) -> None:
    with spanned[0].drive() as drive:
        (segment,) = verify.run(drive, "all", Silent(), evidences()).segments
    assert segment.carried is not None
    segment.carried.digest.update(b"x")
    carried: Carried | None = segment.carried
    hit: list[bytes] = []
    for of in spanned[1:]:
        with of.drive() as drive:
            result = verify.run(drive, "all", Silent(), evidences(), carried=carried)
        carried, hit = result.segments[0].carried, [*hit, *verify.members_hit(result)]
    assert len(hit) == 1


def test_a_selection_asks_for_no_more_than_it_needs(spanned: list[Image], source: Path, tmp_path: Path) -> None:
    first, *others = spanned
    with first.drive() as drive, asking(others) as further:
        wanted = restore.Request(str(tmp_path / "to"), (f"{source}/0000", f"{source}/0002"))
        result = restore.run(drive, wanted, Silent(), next_cartridge=further)
    assert (result.members, result.problems, further.asked) == (2, [], [])
    last = len(spanned) - 1
    result = restore_from(spanned[::-1], tmp_path / "last", f"{source}/0506", needed={last - 1, last})
    assert (result.members, result.problems, result.cartridges) == (1, [], [f"S-{last}", f"S-{last + 1}"])
