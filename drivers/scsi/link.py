"""Commands to a drive or changer, with what tapekit does by itself: it waits, loads, tries again (the sense table)."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from drivers.base import TELL_LONG
from drivers.errors import Busy, DeviceFailure, DriveError, MediumError
from drivers.scsi import commands
from drivers.scsi.commands import Command, CommandFailed
from drivers.scsi.generations import Generation
from drivers.scsi.sensetable import Row, Way, row_of
from drivers.scsi.transport import Buffer, Reply, Transport
from formats.scsi.sense import Key, Sense

BUSY_S = 60.0
"""How long a drive may say that it is busy, or that somebody has reserved it."""
POLL_S = 2.0
LONGEST_WAIT_S = 2.5 * 3600
"""A new LTO-9 cartridge takes up to two hours at its first load."""
MOST_ATTENTIONS = 8


@dataclasses.dataclass
class Patience:
    """Time, as the link sees it; tests and virtual drives have their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Failed(Exception):
    """A command that tapekit cannot get done; the drive above makes it an error with a place."""

    def __init__(self, row: Row, sense: Sense) -> None:
        """What the table says, and what the device said."""
        super().__init__(f"{row.why} ({sense})")
        self.row = row
        self.sense = sense


class _Attention(Failed):
    """The drive had something to say first, and did nothing."""


class Link:
    """The way to one drive. `notes` are what the drive has to say though it works: cleaning, failures to come."""

    def __init__(self, url: str, transport: Transport, patience: Patience | None = None) -> None:
        """Talk over `transport`; `url` is what errors call the drive."""
        self.url = url
        self.transport = transport
        self.patience = patience or Patience()
        self.generation: Generation | None = None
        self.notes: list[Row] = []

    @staticmethod
    def long(what: str) -> AbstractContextManager[None]:
        """Around what takes long."""
        return TELL_LONG.get()(what)

    def send(
        self, command: Command, *fields: tuple[int, int, int], data_out: Buffer = b"",
        data_in: memoryview | None = None,
    ) -> Reply:  # fmt: skip
        """Send a command until it is done; a reply with sense data is a mark, or what the drive had to say besides.

        Raises Failed, Busy, TransportError.
        """
        begun = self.patience.now()
        is_second = False
        while True:
            try:
                return self._once(command, *fields, data_out=data_out, data_in=data_in)
            except CommandFailed as failed:
                waited = self.patience.now() - begun
                if failed.is_busy:
                    if waited >= BUSY_S:
                        raise Busy(
                            f"{self.url}: busy, or reserved by another computer", "see who uses it: tapekit doctor"
                        ) from failed
                else:
                    row = row_of(failed.sense)
                    if row.way in (Way.FAIL, Way.MARK) or (row.way is Way.AGAIN and is_second):
                        raise Failed(row, failed.sense) from failed
                    if row.way in (Way.WAIT, Way.LOAD) and waited >= LONGEST_WAIT_S:
                        raise Failed(row, failed.sense) from failed
                    if row.way is Way.LOAD:
                        self.load()
                        continue
                    if row.way in (Way.AGAIN, Way.GO_ON):  # a deferred one that is done: the command itself is not
                        self._note(row)
                        is_second = True
                        continue
                self.patience.sleep(POLL_S)

    def _once(
        self, command: Command, *fields: tuple[int, int, int], data_out: Buffer, data_in: memoryview | None
    ) -> Reply:
        generation = self.generation.number if self.generation else None
        try:
            reply = commands.run(
                self.transport, command, *fields, data_out=data_out, data_in=data_in, generation=generation
            )
        except CommandFailed as failed:
            row = row_of(failed.sense)
            if failed.is_busy or failed.reply.sense is None or failed.sense.is_deferred:
                raise
            if row.way is Way.GO_ON:
                if not failed.sense.ili:  # a block of another size than the room for it
                    self._note(row)
                return failed.reply
            if row.way is Way.MARK:
                return failed.reply
            raise
        if reply.sense is not None and row_of(reply.sense).way is Way.GO_ON:
            self._note(row_of(reply.sense))
        return reply

    def _note(self, row: Row) -> None:
        if row not in self.notes:
            self.notes.append(row)

    def load(self) -> Reply:
        """Draw the cartridge in and wait until the drive has it. Raises Failed."""
        with self.long("loading the cartridge"):
            for _ in range(MOST_ATTENTIONS):
                with contextlib.suppress(_Attention):
                    return self._load()
            return self._load()

    def _load(self) -> Reply:
        try:
            return self.send(commands.LOAD_UNLOAD, (4, 1, 1))
        except Failed as failed:
            if failed.sense.key == Key.UNIT_ATTENTION:
                raise _Attention(failed.row, failed.sense) from failed
            raise

    def drain(self) -> None:
        """Hear out what happened before: changed, reset, parameters. Raises Failed where the drive is not ready.

        The kernels from about 6.6 to 6.14 take the first of them for a reset and answer EIO; through SG_IO it is heard
        here, before st sees it.
        """
        with self.long("waiting for the drive"):
            for _ in range(MOST_ATTENTIONS):
                try:
                    self.send(commands.TEST_UNIT_READY)
                except Failed as failed:
                    if failed.sense.key != Key.UNIT_ATTENTION:
                        raise
                else:
                    return

    def answer(self, command: Command, *fields: tuple[int, int, int], size: int) -> bytes:
        """Send a command that is answered with at most `size` bytes."""
        room = bytearray(size)
        reply = self.send(command, *fields, data_in=memoryview(room))
        return bytes(room[: reply.transferred])


def as_error(failed: Failed, where: str) -> DriveError:
    """The error for a person, where the place on the medium does not matter."""
    row = failed.row
    message = f"{where}: {row.why} (sense {failed.sense})"
    if issubclass(row.error, MediumError):
        return DeviceFailure(message, row.to_do or None)  # no block of it is at fault
    return row.error(message, row.to_do or None)
