"""The archivers that tapekit is measured against, and tapekit itself: how each is told to do the same."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from formats import publickey
from tapekit.keys.pair import Pair
from tools.benchmarks.measure import Command, run_unmeasured

TAPEKIT = "tapekit"
TAPEKIT_PLAIN = "tapekit, none"
TAPEKIT_ENCRYPTED = "tapekit, none, encrypted"
TAR = "tar"
PLAIN_RIVALS = ("dar, none", "borg, none", "restic, none")
ZSTD_RIVALS = ("dar, zstd 1", "borg, zstd 1", "restic, zstd")

SHA256 = "sha256, one core"


@dataclass(frozen=True)
class Contender:
    """A program that makes a backup.

    Args:
        name: For the table, with its compression where it has a choice.
        programs: What must be on the PATH.
        backup: The command that backs up a source (1st) into an empty directory (2nd).
        prepare: What has to be run before, unmeasured, for a size in bytes (3rd).
    """

    name: str
    programs: tuple[str, ...]
    backup: Callable[[Path, Path], Command]
    prepare: Callable[[Path, Path, int], Command] | None = None

    def missing(self) -> str | None:
        """Say why it cannot run here, or None."""
        if self.programs == (TAPEKIT,):
            return run_unmeasured(tapekit("--version"))
        absent = [program for program in self.programs if shutil.which(program) is None]
        return f"{', '.join(absent)}: not installed" if absent else None


def tapekit(*arguments: str) -> Command:
    """Return tapekit's command line, from the environment that runs this."""
    script = Path(sys.executable).with_name("tapekit")
    return Command([*([str(script)] if script.exists() else [sys.executable, "-m", "tapekit"]), *arguments])


def image(target: Path) -> str:
    """Return the name of the image that tapekit writes to in a target."""
    return f"image:{target / 'cartridge.img'}"


def sha256(source: Path) -> Command:
    """Hash every file of a source, on one core."""
    return Command([sys.executable, "-I", "-S", str(Path(__file__).with_name("hash_tree.py")), str(source)])


def untar(target: Path, restored: Path) -> Command:
    """Restore what `tar` made."""
    return Command(["tar", "-xf", str(target / "archive.tar"), "-C", str(restored)])


def _tapekit(*options: str) -> Callable[[Path, Path], Command]:
    return lambda source, target: tapekit("backup", image(target), str(source), "--job", "benchmark", *options)


def _label(_: Path, target: Path, size_bytes: int) -> Command:
    return tapekit("label", image(target), "--size", str(size_bytes), "--barcode", "BENCH-1")


def _encrypted(source: Path, target: Path) -> Command:
    """For a key that is made for this run, and that nobody keeps."""
    public = target / "key.pub"
    public.write_text(publickey.build(Pair.new("owner", "benchmark").public_line), encoding="utf-8")
    return _tapekit("--compression", "none", "--to-key", str(public))(source, target)


def _tar(source: Path, target: Path) -> Command:
    return Command(["tar", "--format=pax", "-cf", str(target / "archive.tar"), "-C", str(source), "."])


def _tar_piped(*filters: str) -> Callable[[Path, Path], Command]:
    def backup(source: Path, target: Path) -> Command:
        line = " | ".join((f"tar --format=pax -cf - -C {quote(str(source))} .", *filters))
        return Command(["bash", "-o", "pipefail", "-c", f"{line} > {quote(str(target / 'archive.tar.zst'))}"])

    return backup


def _dar(*options: str) -> Callable[[Path, Path], Command]:
    return lambda source, target: Command(
        ["dar", "-N", "-Q", "-q", *options, "-c", str(target / "archive"), "-R", str(source)]
    )


def borg(target: Path, *arguments: str) -> Command:
    """Return borg's command line, with its repository and all that it keeps in a target."""
    environment = {"BORG_BASE_DIR": str(target / "home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    return Command(["borg", *arguments], environment)


def _borg_init(_: Path, target: Path, __: int) -> Command:
    return borg(target, "init", "--encryption", "none", str(target / "repository"))


def _borg_create(compression: str) -> Callable[[Path, Path], Command]:
    return lambda source, target: borg(
        target, "create", "--compression", compression, f"{target / 'repository'}::archive", str(source)
    )


def restic(target: Path, *arguments: str) -> Command:
    """Return restic's command line, with its repository and its cache in a target."""
    environment = {
        "RESTIC_PASSWORD": "benchmark",
        "RESTIC_REPOSITORY": str(target / "repository"),
        "RESTIC_CACHE_DIR": str(target / "cache"),
    }
    return Command(["restic", "--quiet", *arguments], environment)


def _restic_init(_: Path, target: Path, __: int) -> Command:
    return restic(target, "init", "--repository-version", "2")


def _restic_backup(compression: str) -> Callable[[Path, Path], Command]:
    return lambda source, target: restic(target, "backup", "--compression", compression, str(source))


ENCRYPT = "openssl enc -aes-256-ctr -pbkdf2 -pass pass:benchmark"

CONTENDERS: tuple[Contender, ...] = (
    Contender(TAPEKIT_PLAIN, (TAPEKIT,), _tapekit("--compression", "none"), _label),
    Contender(TAPEKIT_ENCRYPTED, (TAPEKIT,), _encrypted, _label),
    Contender(TAPEKIT, (TAPEKIT,), _tapekit(), _label),
    Contender(TAR, ("tar",), _tar),
    Contender("tar | zstd 1", ("tar", "zstd"), _tar_piped("zstd -q -1")),
    Contender("tar | zstd 1 | aes-ctr", ("tar", "zstd", "openssl"), _tar_piped("zstd -q -1", ENCRYPT)),
    Contender("dar, none", ("dar",), _dar()),
    Contender("dar, zstd 1", ("dar",), _dar("-zzstd:1")),
    Contender("borg, none", ("borg",), _borg_create("none"), _borg_init),
    Contender("borg, zstd 1", ("borg",), _borg_create("zstd,1"), _borg_init),
    Contender("restic, none", ("restic",), _restic_backup("off"), _restic_init),
    Contender("restic, zstd", ("restic",), _restic_backup("auto"), _restic_init),
)
