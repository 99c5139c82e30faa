"""An archive over several cartridges: written, and read by the rescue kit, which shares no line with tapekit."""

import json
from pathlib import Path

import pytest

from formats.segment import COMPLETE, CONTINUED
from tapekit.cartridge.cartridge import open_cartridge
from tests.jobs.cartridges import Image, restored
from tests.jobs.spanned import new_images, noise_tree, request, span
from tests.rescue.kit import FINE, rescue


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
