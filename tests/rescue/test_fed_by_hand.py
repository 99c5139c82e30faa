"""The kit with one drive, into which a person puts one cartridge after the other."""

import os
import shutil
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from tests.jobs.cartridges import request
from tests.jobs.spanned import new_images, noise_tree, span
from tests.jobs.test_spanning import same
from tests.rescue.kit import BARE, FINE, LOSSES, RESCUE

PROMPT = b"(n: there is none): "


def feed(
    drive: Path | str, to: Path, names: Collection[str], others: list[str], put_in: Callable[[str], object]
) -> tuple[int, str]:
    """Answer each question with the cartridge that it names, or with the next of the others."""
    there, here = os.openpty()
    command = [*BARE, str(RESCUE), "restore", str(drive), "--to", str(to)]
    with subprocess.Popen(command, stdin=here, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as kit:
        assert kit.stderr is not None
        said, asked = b"", 0
        try:
            while byte := kit.stderr.read(1):
                said += byte
                if said.endswith(PROMPT):
                    question = said[asked:].decode()
                    named = next((name for name in names if f"cartridge {name} " in question), None)
                    name = named or (others.pop(0) if others else "")
                    if name in names:
                        put_in(name)
                    os.write(there, b"\n" if name in names else b"n\n")
                    asked = len(said)
        except BaseException:
            kit.kill()  # it waits for an answer
            raise
    os.close(there)
    os.close(here)
    return kit.returncode, said.decode()


def test_each_cartridge_when_its_turn_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    source = noise_tree(tmp_path / "source", [700_000, 10, 700_000, 10, 700_000, 10])
    images = new_images(tmp_path, 4)
    done = span(images, request(source))
    assert len(done.parts) == 3
    cartridges = {part.cartridge: of.path for part, of in zip(done.parts, images, strict=False)}
    drive = tmp_path / "drive"
    shutil.copyfile(images[1].path, drive)

    def put_in(name: str) -> None:
        shutil.copyfile(cartridges[name], drive)

    code, said = feed(drive, tmp_path / "to", cartridges, ["S-3", "S-1"], put_in)
    assert code == FINE, said
    assert same(tmp_path / "to", source)
    shutil.copyfile(images[0].path, drive)
    code, said = feed(drive, tmp_path / "less", {"S-1", "S-3"}, ["S-3"], put_in)
    assert code == LOSSES
    assert "part 2 (on cartridge S-2) of it is missing" in said
