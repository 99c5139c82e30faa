"""Encrypted archives: a passphrase opens them, a wrong one does not, and nothing changed is believed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rescue import disk, tables, writer
from tests.rescue.kit import BARE, FAILED, FINE, FULL, LOSSES, NO_KEY, Run, contents, rescue, write_image

FILES = {"secret": b"the books of the pharmacy\n" * 500, "d/other": b"\0\1\2" * 999}
STREAM = tables.simple_stream(FILES)
OWNER, TECHNICIAN = "Über die Straße", "only the list"
BOTH = {"technician": TECHNICIAN, "owner": OWNER}
Kit = Callable[..., Run]


@pytest.fixture
def kit_with(tmp_path: Path) -> Kit:
    def run(command: str, passphrase: str | None, *arguments: object, python: tuple[str, ...] = FULL) -> Run:
        if passphrase is not None:
            (tmp_path / "passphrase").write_text(passphrase + "\nanother line\n", encoding="utf-8")
            arguments = (*arguments, "--passphrase-file", tmp_path / "passphrase")
        to = ("--to", tmp_path / "to") if command == "restore" else ()
        return rescue(command, tmp_path / "image", *to, *arguments, python=python)

    return run


@pytest.mark.parametrize("compress", (False, True))
@pytest.mark.parametrize("passphrase", (OWNER, "U\u0308ber die Straße"))
def test_the_passphrase_opens_it(kit_with: Kit, tmp_path: Path, passphrase: str, *, compress: bool) -> None:
    """Also where the keyboard composes characters in another way: it is taken in form NFC."""
    log = write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH, compress=compress))
    assert b"the books of" not in log.content
    run = kit_with("restore", passphrase)
    assert (run.code, contents(tmp_path / "to")) == (FINE, FILES), run.err
    assert kit_with("check", passphrase).code == FINE


def test_a_recovery_passphrase_opens_it(kit_with: Kit, tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases={**BOTH, "recovery": "in the safe"}))
    assert kit_with("restore", "in the safe").code == FINE
    assert contents(tmp_path / "to") == FILES


@pytest.mark.parametrize("command", ("restore", "files", "tar"))
@pytest.mark.parametrize(("passphrase", "words"), (("wrong", "the passphrase is wrong"), (None, "--passphrase-file")))
def test_without_the_right_passphrase(
    kit_with: Kit, tmp_path: Path, command: str, passphrase: str | None, words: str
) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH))
    run = kit_with(command, passphrase)
    assert run.code == NO_KEY
    assert words in run.err
    assert contents(tmp_path) == {name: c for name, c in contents(tmp_path).items() if not name.startswith("to")}


def test_list_needs_no_key(kit_with: Kit, tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH))
    run = kit_with("list", None, python=BARE)
    assert run.code == FINE
    assert "complete, encrypted" in run.out


def test_check_without_a_key_checks_the_blocks(kit_with: Kit, tmp_path: Path) -> None:
    log = write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH))
    run = kit_with("check", None, python=BARE)
    assert run.code == NO_KEY
    assert "only its blocks are checked" in run.err
    whole = bytearray((tmp_path / "image").read_bytes())
    whole[disk.LOG_START + log.places[2, 3] + 900] ^= 1
    (tmp_path / "image").write_bytes(whole)
    run = kit_with("check", None, python=BARE)
    assert run.code == LOSSES
    assert "file 2, block 3: its SHA-256 is wrong" in run.err


def test_a_technician_sees_the_list_alone(kit_with: Kit, tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH))
    run = kit_with("files", TECHNICIAN)
    assert run.code == FINE, run.err
    assert "secret" in run.out
    run = kit_with("restore", TECHNICIAN)
    assert run.code == NO_KEY
    assert "opens the list of files only" in run.err
    assert contents(tmp_path / "to") == {}


HPKE = {"kind": "hpke", "role": "owner", "name": "site", "key": "AAAA", "enc": "AAAA", "wrapped": "AAAA"}


def test_a_passphrase_is_no_private_key(kit_with: Kit, tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, slots=[HPKE, {"kind": "of the future"}]))
    run = kit_with("restore", OWNER)
    assert run.code == NO_KEY
    assert "opens with a private key only (of site): --key FILE" in run.err


def test_other_slots_are_passed_over(kit_with: Kit, tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, slots=[HPKE], passphrases=BOTH))
    assert kit_with("restore", OWNER).code == FINE


def test_without_the_package_it_says_what_to_install(kit_with: Kit, tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH))
    run = kit_with("restore", OWNER, python=BARE)
    assert run.code == FAILED
    assert "apt install python3-cryptography" in run.err


@pytest.mark.parametrize(
    "changes",
    ({"job": "another"}, {"commitment": None}, {"commitment": {"data": "AAAA", "catalog": "AAAA"}}, {"cut": 2999}),
    ids=str,
)
def test_a_changed_header_is_noticed(kit_with: Kit, tmp_path: Path, changes: dict[str, object]) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH, header_changes=changes))
    run = kit_with("restore", OWNER)
    assert run.code == NO_KEY
    assert "the archive's header was changed" in run.err


@pytest.mark.parametrize("parameters", ({"log2_n": 14}, {"log2_n": 21}, {"r": 9}, {"p": 2}, {"salt": "!"}), ids=str)
def test_slots_with_other_parameters_are_refused(kit_with: Kit, tmp_path: Path, parameters: dict[str, object]) -> None:
    slot = {**writer.passphrase_slot(OWNER, bytes(64), bytes(range(16, 32))), **parameters}
    write_image(tmp_path / "image", writer.archive(STREAM, slots=[slot]))
    run = kit_with("restore", OWNER)
    assert run.code == FAILED
    assert f"in its document, {next(iter(parameters))} is not" in run.err


def test_a_block_that_is_not_encrypted_is_not_believed(kit_with: Kit, tmp_path: Path) -> None:
    """Somebody without the key could have put it there: a digest is no proof."""
    write_image(tmp_path / "image", writer.archive(STREAM, passphrases=BOTH, seal=False))
    run = kit_with("restore", OWNER)
    assert (run.code, contents(tmp_path / "to")) == (LOSSES, {})
    assert "is not encrypted, though its archive is" in run.err


def test_an_encrypted_block_that_was_changed(kit_with: Kit, tmp_path: Path) -> None:
    archive = writer.archive(STREAM, passphrases=BOTH)
    blocks = archive.blocks()
    third = blocks[3]
    blocks[3] = writer.block(
        writer.DATA, third[128:-1] + b"!", archive=archive.archive, sequence=3, offset=2 * archive.cut,
        flags=writer.ENCRYPTED, plain_bytes=archive.cut,
    )  # fmt: skip
    files = [writer.label_file(), [], blocks]
    (tmp_path / "image").write_bytes(disk.image(disk.Log([disk.LogFile(f) for f in files]).content))
    run = kit_with("restore", OWNER)
    assert run.code == LOSSES
    assert "file 2, block 3: cannot be decrypted: it was changed" in run.err
    assert contents(tmp_path / "to")["d/other"] == FILES["d/other"]
