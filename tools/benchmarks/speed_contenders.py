"""Who takes part in the suite `speed`: all encrypt, and each says how it does every step that it is measured in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from formats import publickey
from tapekit.keys import keyfile
from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret
from tools.benchmarks.contenders import ENCRYPT, TAPEKIT, Contender, borg, image, restic, tapekit
from tools.benchmarks.measure import Command
from tools.benchmarks.turns import RESTORE

BACKUP, AGAIN, VERIFY = "backup", "second night", "verify"
OURS_AS_IS, OURS_NIGHT, OURS_ZSTD = "tapekit, none", "tapekit, none, as a night", "tapekit, zstd 1"
OURS = (OURS_AS_IS, OURS_NIGHT, OURS_ZSTD)
PIPE, PIPE_SUMMED = "tar | zstd 1 | aes", "tar | zstd 1 | aes, sha256sum"
FIND = "find -printf"
RIVALS = ("borg, zstd 1", "restic", "dar, zstd 1")
PASSPHRASE = "benchmark benchmark"  # noqa: S105 - of keys that nobody keeps
_QUICK_LOG2_N = 15
"""The least that a key file may have: passphrases cost half a second on purpose, which is not what is measured."""

Step = Callable[[Path, Path, Path], Command]
"""The command for source, target and the directory to restore to."""


@dataclass(frozen=True)
class Way(Contender):
    """A contender, and how it does what comes behind its first backup."""

    steps: Mapping[str, Step] = field(default_factory=dict)


def make_key(directory: Path) -> None:
    """A key pair for tapekit."""
    pair, phrase = Pair.new("owner", "benchmark"), directory / "passphrase"
    phrase.write_text(PASSPHRASE, encoding="utf-8")
    phrase.chmod(0o600)
    (directory / "key.pub").write_text(publickey.build(pair.public_line), encoding="utf-8")
    key = directory / "key"
    key.unlink(missing_ok=True)
    key.touch(0o600)
    key.write_bytes(keyfile.seal(pair, Secret(bytearray(PASSPHRASE.encode())), _QUICK_LOG2_N))


def ours(target: Path, *arguments: str) -> Command:
    """Return tapekit's command line, with what it remembers in a target and the key beside that."""
    environment = {"TAPEKIT_STATE": str(target / "state"), "TAPEKIT_KEY_FILE": str(target.parent / "key")}
    return Command(tapekit(*arguments).arguments, environment)


def _opening(target: Path, *arguments: str) -> Command:
    return ours(target, *arguments, "--passphrase-from", f"file:{target.parent / 'passphrase'}")


def _ours(name: str, *options: str) -> Way:
    def backup(source: Path, target: Path) -> Command:
        key = str(target.parent / "key.pub")
        return ours(target, "backup", image(target), str(source), "--job", "night", "--to-key", key, *options)

    def label(_: Path, target: Path, size_bytes: int) -> Command:
        """The image's bytes are there before, as a medium's are: making memory is not what is measured."""
        line = f"fallocate -l {size_bytes} {quote(str(target / 'cartridge.img'))}"
        command = ours(target, "label", image(target), "--barcode", "BENCH-1")
        return Command(
            ["bash", "-c", f"{line} && exec " + " ".join(map(quote, command.arguments))], command.environment
        )

    return Way(name, (TAPEKIT,), backup, label, {
        AGAIN: lambda source, target, _: backup(source, target),
        VERIFY: lambda _source, target, _to: _opening(target, "verify", image(target), "--archive", "latest"),
        RESTORE: lambda _, target, restored: _opening(target, "restore", image(target), "--to", str(restored)),
    })  # fmt: skip


def restore_one(target: Path, restored: Path, member: str) -> Command:
    """One member out of tapekit's archive."""
    return _opening(target, "restore", image(target), member, "--to", str(restored))


def _pipe(*, is_summed: bool) -> Callable[[Path, Path], Command]:
    def backup(source: Path, target: Path) -> Command:
        line = f"tar --format=pax -cf - -C {quote(str(source))} . | zstd -q -1 | {ENCRYPT}"
        out = quote(str(target / "archive.tar.zst.aes"))
        line += f" | tee {out} | sha256sum" if is_summed else f" > {out}"
        return Command(["bash", "-o", "pipefail", "-c", line])

    return backup


def _unpipe(_: Path, target: Path, restored: Path) -> Command:
    line = f"{ENCRYPT} -d -in {quote(str(target / 'archive.tar.zst.aes'))} | zstd -q -d | tar -xf - -C "
    return Command(["bash", "-o", "pipefail", "-c", line + quote(str(restored))])


def _borg(target: Path, *arguments: str) -> Command:
    command = borg(target, *arguments)
    return Command(command.arguments, {**command.environment, "BORG_PASSPHRASE": PASSPHRASE})


def _borg_create(number: int) -> Callable[[Path, Path], Command]:
    return lambda source, target: _borg(
        target, "create", "--compression", "zstd,1", f"{target / 'repository'}::{number}", str(source)
    )


def _borg_extract(_: Path, target: Path, restored: Path) -> Command:
    command = _borg(target, "extract", f"{target / 'repository'}::1")
    return Command(["env", "-C", str(restored), *command.arguments], command.environment)


def _restic_backup(source: Path, target: Path) -> Command:
    return restic(target, "backup", str(source))


def _dar(*arguments: str) -> Command:
    return Command(["dar", "-N", "-Q", "-q", "-K", f"aes256:{PASSPHRASE}", *arguments])


def _dar_again(source: Path, target: Path, _: Path) -> Command:
    archive = str(target / "archive")
    before = ["-A", archive, "-J", f"aes256:{PASSPHRASE}", "-R", str(source)]
    return _dar("-zzstd:1", "-c", str(target / "second"), *before)


WAYS: tuple[Way, ...] = (
    _ours(OURS_AS_IS, "--compression", "none", "--no-parity", "--no-incremental"),
    _ours(OURS_NIGHT, "--compression", "none"),
    _ours(OURS_ZSTD, "--compression", "zstd:1", "--no-parity"),
    Way(PIPE, ("tar", "zstd", "openssl"), _pipe(is_summed=False), None, {RESTORE: _unpipe}),
    Way(PIPE_SUMMED, ("tar", "zstd", "openssl"), _pipe(is_summed=True)),
    Way(
        "borg, zstd 1", ("borg",), _borg_create(1),
        lambda _, target, __: _borg(target, "init", "--encryption", "repokey-blake2", str(target / "repository")),
        {AGAIN: lambda source, target, _: _borg_create(2)(source, target), RESTORE: _borg_extract},
    ),
    Way(
        "restic", ("restic",), _restic_backup,
        lambda _, target, __: restic(target, "init", "--repository-version", "2"),
        {
            AGAIN: lambda source, target, _: _restic_backup(source, target),
            RESTORE: lambda _, target, restored: restic(target, "restore", "latest", "--target", str(restored)),
        },
    ),
    Way(
        "dar, zstd 1", ("dar",),
        lambda source, target: _dar("-zzstd:1", "-c", str(target / "archive"), "-R", str(source)), None,
        {
            AGAIN: _dar_again,
            RESTORE: lambda _, target, restored: _dar("-O", "-x", str(target / "archive"), "-R", str(restored)),
        },
    ),
)  # fmt: skip
"""borg with its faster cipher, restic with its only one, dar with AES; each at zstd's lowest level where it asks."""


def find_all(source: Path) -> Command:
    """All metadata of a tree, once."""
    return Command(["find", str(source), "-printf", r"%p %y %m %U %G %s %T@ %C@ %A@ %i %n %l\n"])
