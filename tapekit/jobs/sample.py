"""Sample restore: a few files put back with the cartridge's own rescue kit, by a Python that knows nothing of tapekit.

It proves what a site needs on its worst day: that the kit on this cartridge, alone, gives files back.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from drivers.base import Drive
from formats import catalog
from formats.catalog import NO_DIGEST, SPARSE, WARNING_FLAGS, Entry
from tapekit.blocks.correct import correcting
from tapekit.cartridge.cartridge import KIT_FILE, choose, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.errors import VerificationFailed
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.keys.segment import SegmentKeys
from tapekit.stream.joined import is_joined

LARGEST_BYTES = 64 << 20
"""A sample is there to prove the way, not to take the night."""
TIMEOUT_S = 3600
MESSAGE_LINES = 3


@dataclasses.dataclass(frozen=True)
class Sample:
    """What is to be restored, and the kit that is to do it."""

    node: str
    cartridge: str
    archive: str
    kit: bytes
    entries: tuple[Entry, ...]
    keys: Mapping[int, SegmentKeys] = dataclasses.field(default_factory=dict)
    """What opens it, by segment, where it is encrypted."""


def take(drive: Drive, archive: str, count: int, opener: Opener = NO_KEY) -> Sample:
    """Choose up to `count` files of an archive, and read the kit from the cartridge.

    No file is chosen where no other program reads the cartridge, as in a virtual drive. Raises DriveError, Damaged,
    KeyNeeded, KeyRefused.

    The choice follows from the archive's id: another one each night, and the same when it is made again.
    """
    drive = correcting(drive)
    cartridge = open_cartridge(drive)
    segment = cartridge.unlock(choose(cartridge.segments(), archive), opener)
    chooser = random.Random(segment.archive)  # noqa: S311 - a choice, not a secret
    chosen: list[Entry] = []
    is_sealed = segment.cipher is not None
    with read_catalog(drive, segment).tables as tables:
        begin = segment.header.stream_start if segment.header else 0
        fit = (entry for entry in tables.entries() if _is_at_hand(entry, begin, is_sealed=is_sealed) and _fits(entry))
        for number, entry in enumerate(fit):  # every file has the same chance, in one pass (Vitter, algorithm R)
            if number < count:
                chosen.append(entry)
            elif (place := chooser.randrange(number + 1)) < count:
                chosen[place] = entry
    drive.locate(KIT_FILE)
    kit = b"".join(iter(lambda: block if isinstance(block := drive.read_block(), bytes) else b"", b""))
    label = cartridge.label.cartridge if cartridge.label else ""
    keys = {segment.number: segment.cipher.keys} if segment.cipher else {}
    node = drive.identify().for_others
    return Sample(node, label, segment.archive, kit, tuple(chosen) if node else (), keys)


def _is_at_hand(entry: Entry, begin: int, *, is_sealed: bool) -> bool:
    """Whether it begins on this cartridge; of what is encrypted, in this very archive, whose keys are at hand."""
    return not is_sealed if is_joined(entry) else entry.offset >= begin


def _fits(entry: Entry) -> bool:
    return (
        entry.type == catalog.REGULAR
        and entry.size <= LARGEST_BYTES
        and entry.sha256 != NO_DIGEST  # which a file that goes on on the next cartridge has there
        and not entry.flags & (WARNING_FLAGS | SPARSE)
        and b"\n" not in entry.path
    )


def run(sample: Sample) -> int:
    """Restore the sample; how many files came back exactly. The drive must be closed: the kit reads the device itself.

    Raises VerificationFailed where one does not come back as it was saved.
    """
    if not sample.entries:
        return 0
    with tempfile.TemporaryDirectory(prefix="tapekit-sample-") as name:
        folder = Path(name)
        with tarfile.open(fileobj=io.BytesIO(sample.kit)) as kit:
            program = kit.extractfile("rescue.py")
            if program is None:
                raise VerificationFailed("rescue kit: there is no rescue.py in it")
            (folder / "rescue.py").write_bytes(program.read())
        _run_kit(folder, sample)
        for entry in sample.entries:
            _compare(folder / "to", entry)
    return len(sample.entries)


def _run_kit(folder: Path, sample: Sample) -> None:
    command = [
        sys.executable, "-I", "-B", str(folder / "rescue.py"), "restore", sample.node, "--to", str(folder / "to"),
        "--archive", sample.archive, *(os.fsdecode(_as_pattern(entry.path)) for entry in sample.entries),
    ]  # fmt: skip
    with _handed_over(sample.keys) as descriptors:
        if descriptors:
            command += ["--keys-fd", str(descriptors[0])]
        else:
            command.insert(1, "-S")  # bare: only for decryption does the kit need a package
        try:
            done = subprocess.run(  # noqa: S603 - the kit that we wrote ourselves, from the cartridge
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT_S, env={},
                pass_fds=descriptors,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise VerificationFailed(f"rescue kit: not done after {TIMEOUT_S} s") from error
    if done.returncode:
        said = " / ".join(done.stderr.decode("utf-8", "replace").splitlines()[-MESSAGE_LINES:])
        raise VerificationFailed(f"rescue kit: exit code {done.returncode}: {said}")


@contextlib.contextmanager
def _handed_over(keys: Mapping[int, SegmentKeys]) -> Iterator[tuple[int, ...]]:
    """A pipe that holds an archive's keys, for the kit alone: neither a file nor an argument ever does."""
    if not keys:
        yield ()
        return
    reading, writing = os.pipe()
    try:
        try:
            os.write(writing, b"".join(number.to_bytes(4, "big") + of.packed() for number, of in sorted(keys.items())))
        finally:
            os.close(writing)
        yield (reading,)
    finally:
        os.close(reading)


def _as_pattern(path: bytes) -> bytes:
    """A path as a pattern that names nothing else."""
    return b"".join(b"[%c]" % byte if byte in b"*?[" else b"%c" % byte for byte in path)


def _compare(folder: Path, entry: Entry) -> None:
    try:
        content = (folder / os.fsdecode(entry.path)).read_bytes()
    except OSError as error:
        raise VerificationFailed(f"rescue kit: {entry.path!r} did not come back: {error.strerror}") from error
    if hashlib.sha256(content).digest() != entry.sha256:
        raise VerificationFailed(f"rescue kit: {entry.path!r} came back different")
