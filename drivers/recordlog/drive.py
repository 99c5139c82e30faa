"""The drive contract over a record log: what `image:` and `disk:` have in common."""

from collections.abc import Mapping

from drivers.base import Content, Health, Identity, Mark, MediumState, Position
from drivers.errors import BlankMedium, DriveError, ForeignMedium, NoMedium, WriteProtected
from drivers.recordlog import front as disk_front
from drivers.recordlog.door import Door, Shell
from drivers.recordlog.log import RecordLog, forget_records
from drivers.recordlog.storage import Storage
from formats.block import LARGEST_BLOCK_BYTES
from formats.gpt import LOG_START

ERASED_BYTES = 1 << 20
"""Zeros at both ends and over the log's superblocks; of its records, what a reader searches for the first."""


class RecordLogDrive:
    """A drive whose cartridge lies in a storage. See drivers.base.Drive for the methods."""

    def __init__(
        self, url: str, identity: Identity, storage: Storage, *, write_protected: bool = False,
        door: Door | None = None, shell: Shell | None = None,
    ) -> None:  # fmt: skip
        """Take the storage over, with the dock around it, and look at what is on it.

        Without a `shell` the device is the cartridge, and its serial number that of both.
        """
        self._write_protected = write_protected
        self.url = url
        self._identity = identity
        self._storage: Storage | None = storage
        self._door = door
        self._shell = shell or Shell(identity.serial)
        self._log: RecordLog | None = None
        self._found = disk_front.Found(None)
        self._counters = {"blocks read": 0, "blocks written": 0, "read errors": 0, "write errors": 0}
        self._examine()

    def identify(self) -> Identity:
        """See Drive."""
        return self._identity

    def medium(self) -> MediumState:
        """See Drive."""
        storage, log = self._storage, self._log
        if storage is None:
            return MediumState(present=False)
        content = Content.CARTRIDGE if self._found.reader else Content.FOREIGN if self._found.name else Content.BLANK
        return MediumState(
            present=True, content=content, write_protected=self._write_protected,
            worm=self._shell.is_worm,
            capacity_bytes=log.capacity_bytes if log else max(0, storage.size_bytes - LOG_START),
            remaining_bytes=log.remaining_bytes if log else 0, largest_block_bytes=LARGEST_BLOCK_BYTES,
            serial=self._shell.serial, barcode=self._shell.barcode,
            found=self._found.name, description=self._found.sentence,
        )  # fmt: skip

    def format(self, front: Mapping[str, bytes]) -> None:
        """See Drive."""
        storage, before = self._rewritable(), self._found.reader
        disk_front.write(storage, front, self.url)
        self._examine()
        if before is not None:
            self._forget(before.start)

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        """See Drive."""
        self._writable()
        try:
            early_warning = self._open_log().write_block(block)
        except DriveError:
            self._counters["write errors"] += 1
            raise
        self._counters["blocks written"] += 1
        return early_warning

    def rewrite_block(self, file: int, block: int, data: bytes) -> None:
        """See Rewriting."""
        self._writable()
        self._open_log().rewrite_block(file, block, data)

    def write_filemark(self) -> None:
        """See Drive."""
        self._writable()
        self._open_log().write_filemark()

    def read_block(self) -> "bytes | Mark":
        """See Drive."""
        try:
            block = self._open_log().read_block()
        except DriveError:
            self._counters["read errors"] += 1
            raise
        if not isinstance(block, Mark):
            self._counters["blocks read"] += 1
        return block

    def position(self) -> Position:
        """See Drive."""
        return self._open_log().position

    def locate(self, file: int, block: int = 0) -> None:
        """See Drive."""
        self._open_log().locate(file, block)

    def rewind(self) -> None:
        """See Drive."""
        self._open_log().locate(0, 0)

    def to_end_of_data(self) -> None:
        """See Drive."""
        log = self._open_log()
        end = log.end_of_data()
        log.locate(end.file, end.block)

    def load(self) -> None:
        """See Drive. A disk is loaded by putting it in; opening the drive finds it."""
        if self._storage is None:
            raise NoMedium(f"{self.url}: no cartridge in the drive")

    def eject(self) -> None:
        """See Drive."""
        if self._storage is not None:
            self._storage.flush()
            self._storage.close()
            self._storage = self._log = None
            if self._door is not None:
                self._door.let_go()

    def lock(self, locked: bool) -> None:  # noqa: FBT001 - the contract's shape
        """See Drive. The kernel keeps a door locked while the device is open; a dock can be told besides.

        It is told to let go when the device is closed: before, that would undo what the kernel has told it.
        """
        if self._door is not None and (locked or self._storage is None):
            self._door.lock(locked=locked)

    def erase(self) -> None:
        """See Drive."""
        storage = self._rewritable()
        zeros = bytes(ERASED_BYTES)
        logs = {LOG_START} | ({self._found.reader.start} if self._found.reader else set())
        places = {0, max(0, storage.size_bytes - ERASED_BYTES)} | {log for log in logs if log < storage.size_bytes}
        for log in logs:
            self._forget(log)
        for place in sorted(places):
            storage.write(place, zeros[: storage.size_bytes - place])
        storage.flush()
        self._examine()

    def health(self) -> Health:
        """See Drive."""
        of_dock = self._door.counters() if self._door is not None and self._storage is not None else {}
        return Health(counters={**self._counters, **of_dock})

    def close(self) -> None:
        """See Drive."""
        if self._storage is not None:
            self._storage.close()
            self._storage = self._log = None
        door, self._door = self._door, None
        if door is not None:
            door.close()

    def _examine(self) -> None:
        storage = self._present()
        self._found = disk_front.find(storage)
        reader = self._found.reader
        self._log = RecordLog(reader, self.url) if reader else None

    def _forget(self, log: int) -> None:
        """Overwrite the records of a log that is, or may have been, at byte `log`."""
        storage = self._writable()
        forget_records(storage, log, storage.size_bytes - log)

    def _present(self) -> Storage:
        if self._storage is None:
            raise NoMedium(f"{self.url}: no cartridge in the drive")
        return self._storage

    def _writable(self) -> Storage:
        storage = self._present()
        if not storage.writable:
            raise WriteProtected(f"{self.url}: write-protected")
        return storage

    def _rewritable(self) -> Storage:
        """Where something may be written in the place of something else."""
        if self._shell.is_worm and self.medium().content is not Content.BLANK:
            raise WriteProtected(f"{self.url}: can be written only once, and was", "use another cartridge")
        return self._writable()

    def _open_log(self) -> RecordLog:
        self._present()
        if self._log is None:
            if self._found.name:
                raise ForeignMedium(f"{self.url}: holds {self._found.sentence}", self._found.name)
            raise BlankMedium(
                f"{self.url}: blank: nothing was ever written on it", "label it first: tapekit label DRIVE"
            )
        return self._log
