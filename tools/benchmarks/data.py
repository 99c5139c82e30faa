"""The data sets: one large file like a database's, and many small ones like an office's.

Both are made from a seed, and kept for the next run.
"""

import hashlib
import json
import random
import shutil
import struct
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

RECIPE = 1  # one more at every change below: data of an older recipe is made anew
SEED = 20261123

PAGE_BYTES = 8192
POOL_BYTES = 32 * 1024 * 1024

SMALLEST_BYTES, LARGEST_BYTES = 512, 200 * 1024
MEDIAN_BYTES, SIGMA = 4700, 1.35  # log-normal, cut at both ends: about 11 KiB a file
TEXT_SHARE = 0.65
FILES_PER_DIRECTORY = 25

WORDS = 4000

ROWS, INDEX, NOISE, HALF_EMPTY = PAGE_KINDS = range(4)
PAGE_SHARES = (45, 25, 20, 10)  # percent


@dataclass(frozen=True)
class DataSet:
    """A directory with files to back up.

    Args:
        name: For people.
        path: The directory.
        files: How many.
        size_bytes: Of all files together.
        sha256: Digest over all names and contents (`tree_digest`).
    """

    name: str
    path: Path
    files: int
    size_bytes: int
    sha256: str


def large_file(directory: Path, size_bytes: int) -> DataSet:
    """One file of database pages: rows, index pages, pages that do not compress, pages half empty."""
    return _kept(directory, f"large file, {size_bytes // 2**20} MiB", lambda path: _make_large_file(path, size_bytes))


def small_files(directory: Path, count: int) -> DataSet:
    """A tree of small files, text and binary."""
    return _kept(directory, f"small files, {count}", lambda path: _make_small_files(path, count))


def tree_digest(root: Path) -> str:
    """Return a digest over the relative names and contents of all files below a directory."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        with path.open("rb", buffering=0) as file:
            content = hashlib.file_digest(file, "sha256")
        digest.update(str(path.relative_to(root)).encode() + b"\0" + content.digest())
    return digest.hexdigest()


def _kept(directory: Path, name: str, make: Callable[[Path], None]) -> DataSet:
    """Return the data set that lies there, when it is whole and of this recipe; else make it."""
    path = directory / name.replace(", ", "-").replace(" ", "-")
    manifest = path.with_suffix(".json")
    if manifest.exists():
        kept = json.loads(manifest.read_text())
        if kept.pop("recipe") == RECIPE and path.is_dir() and tree_digest(path) == kept["sha256"]:
            return DataSet(path=path, **kept)
        manifest.unlink()
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    make(path)
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    made = DataSet(name, path, len(sizes), sum(sizes), tree_digest(path))
    kept = {key: value for key, value in asdict(made).items() if key != "path"}
    manifest.write_text(json.dumps({"recipe": RECIPE, **kept}))
    return made


def _make_large_file(path: Path, size_bytes: int) -> None:
    rng = random.Random(SEED)  # noqa: S311 (the same data every time)
    rows, noise = _rows(rng), rng.randbytes(POOL_BYTES)
    with (path / "database").open("wb", buffering=2**20) as file:
        for number in range(size_bytes // PAGE_BYTES):
            head = struct.pack(">QQQ", number, number * 7919, rng.getrandbits(64))
            file.write(head + _page_body(rng, number, PAGE_BYTES - len(head), rows, noise))


def _page_body(rng: random.Random, number: int, size_bytes: int, rows: bytes, noise: bytes) -> bytes:
    (kind,) = rng.choices(PAGE_KINDS, PAGE_SHARES)
    start = rng.randrange(POOL_BYTES - size_bytes)
    if kind == ROWS:
        return rows[start : start + size_bytes]
    if kind == INDEX:
        return array("Q", range(number << 20, (number << 20) + size_bytes // 8 * 24, 24)).tobytes()
    if kind == NOISE:
        return noise[start : start + size_bytes]
    return rows[start : start + size_bytes // 2].ljust(size_bytes, b"\0")


def _make_small_files(path: Path, count: int) -> None:
    rng = random.Random(SEED)  # noqa: S311 (the same data every time)
    text, noise = _text(rng), rng.randbytes(POOL_BYTES)
    directory = path
    for number in range(count):
        if number % FILES_PER_DIRECTORY == 0:
            group = number // FILES_PER_DIRECTORY
            directory = path / f"department-{group % 8}" / f"client-{group // 8 % 40:03}" / f"{2020 + group // 320}"
            directory.mkdir(parents=True, exist_ok=True)
        size_bytes = int(min(LARGEST_BYTES, max(SMALLEST_BYTES, rng.lognormvariate(0, SIGMA) * MEDIAN_BYTES)))
        is_text = rng.random() < TEXT_SHARE
        start = rng.randrange(POOL_BYTES - size_bytes)
        content = (text if is_text else noise)[start : start + size_bytes]
        (directory / f"document-{number:06}.{'txt' if is_text else 'bin'}").write_bytes(content)


def _words(rng: random.Random) -> list[bytes]:
    letters = b"eeeeettttaaaooiinnsshhrrdlucmfwypvbgk"
    return [bytes(rng.choices(letters, k=rng.randrange(2, 11))) for _ in range(WORDS)]


def _text(rng: random.Random) -> bytes:
    """Words as often as in a language: the n-th most frequent one 1/n times as often as the first."""
    weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))
    text = b" ".join(rng.choices(_words(rng), cum_weights=weights, k=POOL_BYTES // 4))
    return text[:POOL_BYTES]


def _rows(rng: random.Random) -> bytes:
    words, lines, size_bytes = _words(rng), [], 0
    for number in range(POOL_BYTES // 40):
        fields = (number, rng.choice(words), rng.choice(words), rng.getrandbits(20), rng.getrandbits(30))
        lines.append(b"%08d\t%s %s\t2026-11-%d\t%x\n" % fields)
        size_bytes += len(lines[-1])
        if size_bytes >= POOL_BYTES:
            break
    return b"".join(lines).ljust(POOL_BYTES, b"\n")
