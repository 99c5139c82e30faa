"""The highest rung: a copy that another drive reads than the one that wrote it."""

import dataclasses
from pathlib import Path

import pytest

from drivers.recordlog.drive import RecordLogDrive
from tapekit.model import Rung
from tests.jobs.cartridges import Image, evidences, new_image


@pytest.mark.parametrize(
    ("wrote", "reads", "is_proven"),
    (("A", "B", True), ("A", "A", False), ("", "B", False), ("A", "", False), ("", "", False)),
)
def test_only_numbers_that_differ_prove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrote: str, reads: str, *, is_proven: bool
) -> None:
    (tmp_path / "file").write_text("x")
    cartridge = new_image(tmp_path / "c.tkc")
    connect(monkeypatch, wrote)
    archive = cartridge.back_up(tmp_path / "file").archive
    connect(monkeypatch, reads)
    assert cartridge.verify(with_source=True).ok
    assert rungs(archive) == [Rung.FLUSHED, Rung.COMPARED, *([Rung.OTHER_DRIVE] if is_proven else [])]


def test_damage_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("needle" * 1000)
    cartridge = new_image(tmp_path / "c.tkc")
    connect(monkeypatch, "A")
    archive = cartridge.back_up(tmp_path / "file").archive
    spoil(cartridge)
    connect(monkeypatch, "B")
    assert not cartridge.verify().ok
    assert rungs(archive) == [Rung.FLUSHED, None]


def spoil(cartridge: Image) -> None:
    content = bytearray(cartridge.path.read_bytes())
    content[content.index(b"needle")] ^= 1
    cartridge.path.write_bytes(content)


def connect(monkeypatch: pytest.MonkeyPatch, serial: str) -> None:
    """All drives have this serial number from now on."""
    monkeypatch.setattr(RecordLogDrive, "identify", lambda drive: dataclasses.replace(_identify(drive), serial=serial))


_identify = RecordLogDrive.identify


def rungs(archive: str) -> list[Rung | None]:
    return [line.rung for line in evidences().lines() if line.archive == archive]
