"""Encrypted archives that tapekit wrote, opened by the kit: with a key file, a paper key, and keys handed over."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from formats import paper
from formats.paper import PaperKey
from tapekit.errors import VerificationFailed
from tapekit.jobs import backup, sample
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients
from tapekit.keys.secret import Secret
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, new_image, places, request, restored
from tests.keys.people import PASSPHRASE, pair, write_key
from tests.rescue.kit import BARE, FAILED, FINE, FULL, LOSSES, NO_KEY, RESCUE, Run, contents, rescue

TECHNICIAN = Pair("technician", "Tom", Secret(bytes(range(1, 33))))
ARCHIVE_PASSPHRASE = "a horse that can count"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    for name in ("one", "two"):
        (tmp_path / "source" / name).write_text(f"content of {name}\n" * 3000)
    return tmp_path / "source"


@pytest.fixture
def cartridge(tmp_path: Path) -> Image:
    return new_image(tmp_path / "cartridge.tkc")


@pytest.fixture
def written(cartridge: Image, source: Path) -> backup.Result:
    recipients = Recipients((pair().public_line, TECHNICIAN.public_line), Secret(ARCHIVE_PASSPHRASE.encode()))
    wanted = backup.Request(**{**vars(request(source, compression="zstd")), "recipients": recipients})
    with cartridge.drive(writable=True) as drive:
        return backup.run(drive, wanted, Silent(), evidences())


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, Path]:
    """A key file, a paper key as text and as its QR code has it, one with a wrong word, and passphrases."""
    words = paper.build(PaperKey("owner", bytes(pair().secret.content)))
    texts = {
        "paper": "\n".join(" ".join(words[at : at + 3]) for at in range(0, 21, 3)).upper(),
        "qr": " ".join(["TAPEKIT-PAPER-1", *words]).upper(),
        "wrong word": " ".join(["babad", *words[1:]]),
        "wrong word in the middle": " ".join([*words[:10], "vuvuz", *words[11:]]).upper(),
        "two wrong words": " ".join(["babad", "vuvuz", *words[2:]]),
        "no word": " ".join(["hello", *words[1:]]),
        "too few": " ".join(words[1:]),
        "passphrase": PASSPHRASE,
        "archive": ARCHIVE_PASSPHRASE,
        "wrong": "wrong",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    write_key(tmp_path / "key")
    write_key(tmp_path / "technician", TECHNICIAN)
    write_key(tmp_path / "stranger", Pair.new("owner", "Eve"))
    changed = json.loads((tmp_path / "key").read_text())
    (tmp_path / "damaged").write_text(json.dumps({**changed, "name": "Mallory"}))
    (tmp_path / "cut").write_text((tmp_path / "key").read_text()[:-9])
    return {path.name: path for path in tmp_path.iterdir()}


def restore(cartridge: Image, tmp_path: Path, *arguments: object, python: tuple[str, ...] = FULL) -> Run:
    return rescue("restore", cartridge.path, "--to", tmp_path / "to", *arguments, python=python)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("key", "passphrase"), (("key", "passphrase"), ("paper", None), ("qr", None), (None, "archive")), ids=str
)
def test_who_may_gets_everything(
    cartridge: Image, kept: dict[str, Path], source: Path, tmp_path: Path, key: str | None, passphrase: str | None
) -> None:
    arguments: list[object] = ["--key", kept[key]] if key else []
    run = restore(cartridge, tmp_path, *arguments, *(["--passphrase-file", kept[passphrase]] if passphrase else []))
    assert run.code == FINE, run.err
    assert contents(restored(tmp_path / "to", source)) == contents(source)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("key", "passphrase", "words"),
    (
        ("key", "wrong", "the passphrase of the key file is wrong"),
        ("key", None, "--passphrase-file"),
        ("damaged", "passphrase", "the key file is damaged: its checksum does not match"),
        ("cut", "passphrase", "the key file is damaged"),
        ("missing", "passphrase", "the key file cannot be read"),
        ("stranger", "passphrase", "the private key is wrong: it opens none of the 2 private key slots (of Marie, Tom"),
        ("technician", "passphrase", "opens the list of files only"),
        ("wrong word", None, "word 1 of line 1 of the paper key (babad) is wrong"),
        ("wrong word in the middle", None, "word 2 of line 4 of the paper key (vuvuz) is wrong"),
        ("two wrong words", None, "more than one of the words"),
        ("no word", None, "word 1 (hello) is no word of a paper key"),
        ("too few", None, "a paper key has 21 words, here are 20"),
        (None, "wrong", "the passphrase is wrong"),
        (None, None, "--passphrase-file"),
    ),
)  # fmt: skip
def test_nobody_else_gets_a_byte(
    cartridge: Image, kept: dict[str, Path], tmp_path: Path, key: str | None, passphrase: str | None, words: str
) -> None:
    arguments: list[object] = ["--key", kept.get(key, tmp_path / "missing")] if key else []
    run = restore(cartridge, tmp_path, *arguments, *(["--passphrase-file", kept[passphrase]] if passphrase else []))
    assert (run.code, contents(tmp_path / "to")) == (NO_KEY, {})
    assert words in run.err


@pytest.mark.usefixtures("written")
def test_a_damaged_header_costs_nothing(cartridge: Image, kept: dict[str, Path], source: Path, tmp_path: Path) -> None:
    """The trailer has it once more."""
    place = next(place for place in places(cartridge.path) if place.file == 2).content + 200
    whole = bytearray(cartridge.path.read_bytes())
    whole[place] ^= 1
    cartridge.path.write_bytes(whole)
    run = restore(cartridge, tmp_path, "--key", kept["paper"])
    assert run.code == LOSSES
    assert "its header is damaged" in run.err
    assert contents(restored(tmp_path / "to", source)) == contents(source)


@pytest.mark.usefixtures("written")
def test_without_the_package(cartridge: Image, kept: dict[str, Path], tmp_path: Path) -> None:
    run = restore(cartridge, tmp_path, "--key", kept["paper"], python=BARE)
    assert run.code == FAILED
    assert "needs the Python package `cryptography`" in run.err


# --- keys handed over ---------------------------------------------------------------------------------------------


def handed_over(cartridge: Image, to: Path, packed: bytes) -> "subprocess.CompletedProcess[bytes]":
    reading, writing = os.pipe()
    try:
        os.write(writing, packed)
        os.close(writing)
        command = [*FULL, str(RESCUE), "restore", str(cartridge.path), "--to", str(to), "--keys-fd", str(reading)]
        return subprocess.run(command, capture_output=True, check=False, pass_fds=(reading,))
    finally:
        os.close(reading)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("packed", (b"", bytes(64), bytes(67), bytes(68), b"\0\0\0\1" + bytes(64)))
def test_keys_that_are_not_the_archives(cartridge: Image, tmp_path: Path, packed: bytes) -> None:
    done = handed_over(cartridge, tmp_path / "to", packed)
    assert done.returncode == NO_KEY
    assert contents(tmp_path / "to") == {}


def test_a_sample_is_restored_by_the_kit_on_the_cartridge(cartridge: Image, written: backup.Result) -> None:
    with cartridge.drive() as drive:
        chosen = sample.take(drive, written.archive, 2, written.opener)
    assert sample.run(chosen) == 2
    written.forget()
    with pytest.raises(VerificationFailed, match="expected 68"):
        sample.run(chosen)


def test_no_argument_and_no_file_ever_holds_the_keys(
    cartridge: Image, written: backup.Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[bytes] = []
    real = subprocess.run

    def spying(command: list[str], **options: object) -> object:
        seen.extend(os.fsencode(argument) for argument in command)
        seen.append(repr(options).encode())
        seen.extend(path.read_bytes() for path in Path(command[-1]).parent.glob("**/*") if path.is_file())
        folder = Path(next(argument for argument in command if argument.endswith("rescue.py"))).parent
        seen.extend(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        return real(command, **options)  # type: ignore[call-overload]

    with cartridge.drive() as drive:
        chosen = sample.take(drive, written.archive, 2, written.opener)
    monkeypatch.setattr(subprocess, "run", spying)
    assert sample.run(chosen) == 2
    packed = chosen.keys[0].packed()
    for key in (packed[:32], packed[32:]):
        assert not any(key in data or key.hex().encode() in data for data in seen)
        assert key not in cartridge.path.read_bytes()
