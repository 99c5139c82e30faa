"""Compressed blocks are opened by whichever decoder a computer has, and none of them is trusted with the size."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from backports import zstd

from tests.rescue import disk, tables, writer
from tests.rescue.kit import BARE, FAILED, FINE, FULL, LOSSES, RESCUE, contents, rescue, write_image

FILES = {"text": b"the same words again and again\n" * 5000, "noise": os.urandom(10_000)}
STREAM = tables.simple_stream(FILES)
CUT = 60_000

# What stands in the way of the decoders that a test does not want: a module of that name that cannot be imported.
HIDDEN = "raise ImportError\n"


def hiding(directory: Path, *names: str) -> dict[str, str]:
    """An environment where these modules cannot be imported."""
    for name in names:
        (directory / f"{name}.py").write_text(HIDDEN)
    return {"PYTHONPATH": str(directory), "PATH": "/nowhere"}


PYTHON = (sys.executable,)
PROVIDERS = {
    "the program": (BARE, ()),
    "this Python": (FULL, ()),
    "backports.zstd": (PYTHON, ("compression", "zstandard")),
    "zstandard": (PYTHON, ("compression", "backports")),
}


@pytest.fixture(params=list(PROVIDERS))
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    name: str = request.param
    if name == "the program" and shutil.which("zstd", path=os.defpath) is None:
        pytest.skip("the program zstd is not installed")
    if name == "zstandard" and importlib.util.find_spec("zstandard") is None:
        pytest.skip("the package zstandard is not installed")
    python, hidden = PROVIDERS[name]
    (tmp_path / "hidden").mkdir()
    return python, hiding(tmp_path / "hidden", *hidden) if hidden else {}


Provider = tuple[tuple[str, ...], dict[str, str]]


def test_restores(provider: Provider, tmp_path: Path) -> None:
    python, environment = provider
    archive = writer.archive(STREAM, compress=True, cut=CUT)
    assert any(block[9] & writer.COMPRESSED for block in archive.blocks())
    write_image(tmp_path / "image", archive)
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", python=python, environment=environment)
    assert (run.code, contents(tmp_path / "to")) == (FINE, FILES), run.err


def frame_with_window(plain: bytes, window_log: int) -> bytes:
    """A frame as a stream of unknown size makes it: it asks for the whole window."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
    return compressor.compress(plain) + compressor.flush()


def image_with_frame(path: Path, frame: bytes) -> None:
    """An archive whose first data block holds this frame."""
    archive = writer.archive(STREAM, cut=CUT)
    blocks = archive.blocks()
    blocks[1] = writer.block(
        writer.DATA, frame, archive=archive.archive, sequence=1, flags=writer.COMPRESSED, plain_bytes=CUT
    )
    files = [writer.label_file(), [], blocks]
    path.write_bytes(disk.image(disk.Log([disk.LogFile(file) for file in files]).content))


def test_a_window_of_16_mib(provider: Provider, tmp_path: Path) -> None:
    python, environment = provider
    image_with_frame(tmp_path / "image", frame_with_window(STREAM[:CUT], 24))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", python=python, environment=environment)
    assert contents(tmp_path / "to") == FILES, run.err


@pytest.mark.parametrize(
    ("frame", "why"),
    (
        (zstd.compress(bytes(CUT + 1)), "one byte more than its header says"),
        (zstd.compress(bytes(1 << 30)), "a GiB"),
        (zstd.compress(bytes(CUT - 1)), "one byte less"),
        (zstd.compress(bytes(CUT))[:-3], "cut"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "no frame"),
        (b"", "nothing"),
        (frame_with_window(STREAM[:CUT], 27), "a window of 128 MiB"),
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_frame_is_damage(provider: Provider, tmp_path: Path, frame: bytes, why: str) -> None:
    """Its digest is right: only the decoder can know."""
    python, environment = provider
    image_with_frame(tmp_path / "image", frame)
    run = rescue("check", tmp_path / "image", python=python, environment=environment)
    assert run.code == LOSSES, why
    assert "file 2, block 1: " in run.err
    assert "decompress" in run.err


def test_without_a_decoder_it_says_what_to_install(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, compress=True, cut=CUT))
    nothing = {"PATH": "/nowhere"}
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", environment=nothing)
    assert run.code == FAILED
    assert "apt install zstd" in run.err
    assert contents(tmp_path / "to") == {}
    write_image(tmp_path / "plain", writer.archive(STREAM, cut=CUT))
    assert rescue("restore", tmp_path / "plain", "--to", tmp_path / "to", environment=nothing).code == FINE


def test_a_decoder_holds_no_more_than_it_must(tmp_path: Path) -> None:
    """A frame of 1 GiB of zeros is refused within a tenth of that memory."""
    image_with_frame(tmp_path / "image", zstd.compress(bytes(1 << 30)))
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (300 << 20,) * 2); sys.argv.pop(0); "
    command = [sys.executable, "-c", limit + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    done = subprocess.run([*command, RESCUE, "check", tmp_path / "image"], capture_output=True, check=False, text=True)
    assert done.returncode == LOSSES, done.stderr
    assert "file 2, block 1: does not decompress to the 60000 bytes" in done.stderr
