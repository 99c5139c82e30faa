"""Where a secret comes from, who may read it, and that it is shown nowhere."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tapekit.errors import Exit, KeyNeeded, KeyRefused, UsageError, exit_code
from tapekit.keys import secret
from tapekit.keys.secret import Secret, resolve


def private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_from_a_file_its_first_line(tmp_path: Path) -> None:
    file = private(tmp_path / "p", "Grüße, 4 Wörter\r\nanother line\n".encode())
    assert resolve(f"file:{file}", "passphrase").content == "Grüße, 4 Wörter".encode()


def test_from_the_environment_and_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started later must not inherit it."""
    monkeypatch.setenv("TEST_SECRET", "in the environment")
    assert resolve("env:TEST_SECRET", "passphrase").content == b"in the environment"
    assert "TEST_SECRET" not in os.environ


def test_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private(tmp_path / "pass", b"of systemd\n", 0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert resolve("credential:pass", "passphrase").content == b"of systemd"
    with pytest.raises(KeyNeeded):
        resolve(f"credential:../{tmp_path.name}/pass", "passphrase")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(KeyNeeded, match="systemd gave this service none"):
        resolve("credential:pass", "passphrase")


def test_from_a_person() -> None:
    asked = []

    def ask(what: str) -> str:
        asked.append(what)
        return "typed"

    assert resolve("prompt", "passphrase of Marie's key", ask).content == b"typed"
    assert asked == ["passphrase of Marie's key"]


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(KeyNeeded, match="no terminal"):
            resolve("prompt", "passphrase")


def test_form_nfc() -> None:
    assert resolve("prompt", "p", lambda _: "U\u0308").content == "Ü".encode()


@pytest.mark.parametrize("mode", (0o640, 0o604, 0o660, 0o644, 0o610))
def test_a_file_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "p", b"everybody knows", mode)
    with pytest.raises(KeyRefused, match=f"others can read it \\(mode 0{mode:o}\\)") as caught:
        resolve(f"file:{file}", "passphrase")
    assert exit_code(caught.value) is Exit.KEY
    assert "everybody" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = private(tmp_path / "p", b"x")
    os.chown(file, 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 999)
    with pytest.raises(KeyRefused, match="belongs to another user"):
        resolve(f"file:{file}", "passphrase")


@pytest.mark.parametrize("reference", ("my secret passphrase", "pass:x", "file", "file:", "env:", ""))
def test_a_secret_in_place_of_a_reference_is_not_repeated(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(reference, "passphrase")
    assert str(caught.value) == "passphrase: expected one of file:PATH, env:NAME, credential:NAME, prompt"


@pytest.mark.parametrize("content", (b"", b"\n", b"\r\nsecond line"))
def test_an_empty_secret_is_none(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(KeyNeeded, match="empty"):
        resolve(f"file:{private(tmp_path / 'p', content)}", "passphrase")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyNeeded, match="no such file"):
        resolve(f"file:{tmp_path}/p", "passphrase")


def test_wiped_and_never_shown() -> None:
    with Secret(b"top secret") as held:
        content = held.content
        assert "top" not in repr(held)
        assert "top" not in str(held)
    assert content == b""


def test_written_once_for_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        secret.write_private(tmp_path / "key", b"secret", "key file")
    finally:
        os.umask(old)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyRefused, match="is there already"):
        secret.write_private(tmp_path / "key", b"another", "key file")
    assert (tmp_path / "key").read_bytes() == b"secret"


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyRefused, match="no space left"):
        secret.write_private(tmp_path / "key", b"secret", "key file")
    assert not (tmp_path / "key").exists()


def limits(then: Callable[[], None]) -> tuple[int, bool]:
    """The size of core dumps and whether they are allowed, in a process of its own."""
    code = (
        "import ctypes, resource\n"
        "from tapekit.keys.secret import protect_memory\n"
        "protect_memory()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], preexec_fn=then, check=True, capture_output=True, text=True)
    size, dumpable = ran.stdout.split()
    return int(size), dumpable != "0"


def test_no_core_dump() -> None:
    def as_much_as_may_be() -> None:
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))

    assert limits(as_much_as_may_be) == (0, False)
