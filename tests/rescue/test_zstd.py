"""Compressed blocks are opened by whichever decoder a computer has, and none of them is trusted with the size."""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from backports import zstd

from tests.rescue import disk, tables, writer
from tests.rescue.kit import FAILED, FINE, FULL, LOSSES, RESCUE, contents, rescue, write_image

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
    "this Python": (FULL, ()),
    "backports.zstd": (PYTHON, ("compression", "zstandard", "ctypes")),
    "zstandard": (PYTHON, ("compression", "backports", "ctypes")),
    "the library": (PYTHON, ("compression", "backports", "zstandard")),
    "the program": (PYTHON, ("compression", "backports", "zstandard", "ctypes")),
}
NOTHING = PROVIDERS["the program"][1]


def has_library() -> bool:
    try:
        ctypes.CDLL("libzstd.so.1")
    except OSError:
        return False
    return True


@pytest.fixture(params=list(PROVIDERS))
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """One way alone: the others are hidden, and where it is the program nothing else is left."""
    name: str = request.param
    if name == "the program" and shutil.which("zstd", path=os.defpath) is None:
        pytest.skip("the program zstd is not installed")
    if name == "the library" and not has_library():
        pytest.skip("the library libzstd is not installed")
    if name == "zstandard" and importlib.util.find_spec("zstandard") is None:
        pytest.skip("the package zstandard is not installed")
    python, hidden = PROVIDERS[name]
    (tmp_path / "hidden").mkdir()
    environment = hiding(tmp_path / "hidden", *hidden) if hidden else {}
    return python, {**environment, "PATH": os.defpath} if name == "the program" else environment


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
        (zstd.compress(STREAM[:CUT])[:-40] + bytes(40), "its last bytes are zeros"),
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


def test_all_but_the_damaged_frame_is_restored(provider: Provider, tmp_path: Path) -> None:
    python, environment = provider
    files = {"first": os.urandom(CUT), **FILES}
    stream = tables.simple_stream(files)
    archive = writer.archive(stream, compress=True, cut=CUT)
    blocks = archive.blocks()
    frame = zstd.compress(bytes(1 << 30))
    blocks[1] = writer.block(
        writer.DATA, frame, archive=archive.archive, sequence=1, flags=writer.COMPRESSED, plain_bytes=CUT
    )
    log = disk.Log([disk.LogFile(file) for file in (writer.label_file(), [], blocks)])
    (tmp_path / "image").write_bytes(disk.image(log.content))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", python=python, environment=environment)
    assert (run.code, contents(tmp_path / "to")) == (LOSSES, FILES), run.err
    assert "lost: first" in run.err


Decode = Callable[[bytes, int], bytes]


def nothing(_name: str) -> Decode:
    raise ImportError


def without_functions(_name: str) -> Decode:
    raise AttributeError


def spelling(kit: ModuleType, monkeypatch: pytest.MonkeyPatch, *ways: Callable[[str], Decode]) -> bytes:
    """What is decoded where these are the ways, the first being preferred."""
    monkeypatch.setattr(kit, "ZSTD_WAYS", tuple((way, "no matter") for way in ways))
    monkeypatch.setattr(kit, "zstd_decoder", [])
    return bytes(kit.unzstd(b"", 5))


def test_what_is_not_there_is_passed_over(kit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def first(_name: str) -> Decode:
        return lambda _frame, _limit: b"first"

    def other(_name: str) -> Decode:
        return lambda _frame, _limit: b"other"

    def absent(name: str) -> Decode:
        done: Decode = kit.zstd_by_library(f"no-such-{name}.so")
        return done

    assert spelling(kit, monkeypatch, nothing, absent, without_functions, first, other) == b"first"
    with pytest.raises(kit.Problem, match="apt install libzstd1"):
        spelling(kit, monkeypatch, nothing, absent, without_functions)


def test_the_program_comes_last(kit: ModuleType) -> None:
    """It is a process for each block."""
    ways = [way for way, _ in kit.ZSTD_WAYS]
    assert ways[-1] is kit.zstd_by_program
    assert kit.zstd_by_program not in ways[:-1]
    assert ways.index(kit.zstd_by_module) < ways.index(kit.zstd_by_zstandard) < ways.index(kit.zstd_by_library)


def test_without_a_decoder_it_says_what_to_install(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, compress=True, cut=CUT))
    (tmp_path / "hidden").mkdir()
    nowhere = hiding(tmp_path / "hidden", *NOTHING)
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", python=PYTHON, environment=nowhere)
    assert run.code == FAILED
    for remedy in ("apt install libzstd1", "apt install zstd", "pip install zstandard", "Python 3.14"):
        assert remedy in run.err
    assert contents(tmp_path / "to") == {}
    write_image(tmp_path / "plain", writer.archive(STREAM, cut=CUT))
    plain = rescue("restore", tmp_path / "plain", "--to", tmp_path / "to", python=PYTHON, environment=nowhere)
    assert plain.code == FINE


def test_a_decoder_holds_no_more_than_it_must(tmp_path: Path) -> None:
    """A frame of 1 GiB of zeros is refused within a tenth of that memory."""
    image_with_frame(tmp_path / "image", zstd.compress(bytes(1 << 30)))
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (300 << 20,) * 2); sys.argv.pop(0); "
    command = [sys.executable, "-c", limit + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    done = subprocess.run([*command, RESCUE, "check", tmp_path / "image"], capture_output=True, check=False, text=True)
    assert done.returncode == LOSSES, done.stderr
    assert "file 2, block 1: does not decompress to the 60000 bytes" in done.stderr
