"""Commands to a drive or changer, with what tapekit does by itself: it waits, loads, tries again (the sense table)."""

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
from drivers.scsi.transport import Buffer, Reply, Transport, TransportError
from formats.scsi.sense import Key, Sense

BUSY_S = 60.0
"""How long a drive may say that it is busy, or that somebody has reserved it."""
POLL_S, SLOW_POLL_S = 2.0, 20.0
"""How often a drive is asked again: in the first minute, and after it."""
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

    @property
    def is_of_no_matter(self) -> bool:
        """Whether nothing has to be done about it, where it was not the command that failed."""
        return self.row.way is Way.GO_ON or (self.row.way is Way.AGAIN and not self.sense.is_deferred)


class Listening:
    """A way to a device that keeps what the device says of other things than the command: it says so only once.

    Whoever asks a drive for its state passes over commands that fail. That a cartridge was changed, or an earlier block
    lost, must not be passed over with them.
    """

    def __init__(self, transport: Transport) -> None:
        """Listen at `transport`."""
        self.node = transport.node
        self.heard: list[Sense] = []
        self._transport = transport

    def execute(
        self, command: bytes, *, data_out: Buffer = b"", data_in: memoryview | None = None, timeout_s: float
    ) -> Reply:
        """See Transport."""
        try:
            reply = self._transport.execute(command, data_out=data_out, data_in=data_in, timeout_s=timeout_s)
        except TransportError:
            self.heard.append(Sense(Key.UNIT_ATTENTION, 0x29))  # whether the drive was reset is not known
            raise
        if reply.sense is not None and (reply.sense.key == Key.UNIT_ATTENTION or reply.sense.is_deferred):
            self.heard.append(reply.sense)
        return reply

    def close(self) -> None:
        """See Transport."""
        self._transport.close()


class Link:
    """The way to one drive. `notes` are what the drive has to say though it works: cleaning, failures to come.

    `transport` is for questions about the drive's state, whose failure is no error; see `heard`.
    """

    def __init__(self, url: str, transport: Transport, patience: Patience | None = None) -> None:
        """Talk over `transport`; `url` is what errors call the drive."""
        self.url = url
        self.transport = Listening(transport)
        self.patience = patience or Patience()
        self.generation: Generation | None = None
        self.notes: list[Row] = []
        self._transport = transport

    @staticmethod
    def long(what: str) -> AbstractContextManager[None]:
        """Around what takes long."""
        return TELL_LONG.get()(what)

    def heard(self) -> list[Failed]:
        """What the drive has said to questions about its state since this was last asked, and that matters."""
        heard, self.transport.heard = self.transport.heard, []
        told = [Failed(row_of(sense), sense) for sense in heard]
        for failed in told:
            if failed.is_of_no_matter:
                self._note(failed.row)
        return [failed for failed in told if not failed.is_of_no_matter]

    def send(
        self, command: Command, *fields: tuple[int, int, int], data_out: Buffer = b"",
        data_in: memoryview | None = None, repeat: Callable[[], Reply | None] | None = None,
    ) -> Reply:  # fmt: skip
        """Send a command until it is done; a reply with sense data is a mark, or what the drive had to say besides.

        `repeat` is asked before a command is sent again because the drive had something else to say, or to do, first:
        its reply counts, where it has one; None: send it. Raises Failed, Busy, TransportError, and what it raises.
        """
        begun = self.patience.now()
        times = 0
        while True:
            try:
                return self._once(command, *fields, data_out=data_out, data_in=data_in)
            except CommandFailed as failed:
                waited_s = self.patience.now() - begun
                if failed.is_busy:
                    if waited_s >= BUSY_S:
                        raise Busy(
                            f"{self.url}: busy, or reserved by another computer", "see who uses it: tapekit doctor"
                        ) from failed
                    self.patience.sleep(POLL_S)
                    continue
                row = row_of(failed.sense)
                way = _way(row, failed.sense, waited_s, times)
                if way is Way.FAIL:
                    raise Failed(row, failed.sense) from failed
            if way is Way.WAIT:
                self.patience.sleep(POLL_S if waited_s < BUSY_S else SLOW_POLL_S)
            else:
                self._note(row)
                times += 1
            done = repeat() if repeat is not None else None
            if done is not None:
                return done

    def _once(
        self, command: Command, *fields: tuple[int, int, int], data_out: Buffer, data_in: memoryview | None
    ) -> Reply:
        generation = self.generation.number if self.generation else None
        try:
            reply = commands.run(
                self._transport, command, *fields, data_out=data_out, data_in=data_in, generation=generation
            )
        except CommandFailed as failed:
            if failed.is_busy or failed.reply.sense is None or failed.sense.is_deferred:
                raise
            row = row_of(failed.sense)
            if row.way is Way.GO_ON:
                if not failed.sense.ili:  # a block of another size than the room for it
                    self._note(row)
                return failed.reply
            if row.way is Way.MARK:
                return failed.reply
            raise
        self._note_if_known(reply.sense)
        return reply

    def _note_if_known(self, sense: Sense | None) -> None:
        if sense is not None and row_of(sense).way is Way.GO_ON:
            self._note(row_of(sense))

    def _note(self, row: Row) -> None:
        if row not in self.notes:
            self.notes.append(row)

    def load(self) -> list[Failed]:
        """Draw the cartridge in and wait until the drive has it; what it had to say first. Raises Failed."""
        heard: list[Failed] = []
        with self.long("loading the cartridge"):
            self._hear_out(heard, commands.LOAD_UNLOAD, (4, 1, 1))
        return heard

    def drain(self) -> list[Failed]:
        """Hear out what happened before: changed, reset, parameters. Raises Failed where the drive is not ready.

        The kernels from about 6.6 to 6.14 take the first of them for a reset and answer EIO; through SG_IO it is heard
        here, before st sees it.
        """
        heard: list[Failed] = []
        with self.long("waiting for the drive"):
            try:
                self._hear_out(heard, commands.TEST_UNIT_READY)
            except Failed as failed:
                if failed.row.way is not Way.LOAD:
                    raise
                heard += self.load()
                self._hear_out(heard, commands.TEST_UNIT_READY)
        return heard + self.heard()

    def _hear_out(self, heard: list[Failed], command: Command, *fields: tuple[int, int, int]) -> None:
        """Send a command until the drive has nothing else to say first, which is added to `heard`. Raises Failed."""
        while True:
            try:
                self.send(command, *fields)
            except Failed as failed:
                if failed.sense.key != Key.UNIT_ATTENTION or len(heard) >= MOST_ATTENTIONS:
                    raise
                heard.append(failed)
            else:
                return

    def answer(self, command: Command, *fields: tuple[int, int, int], size: int) -> bytes:
        """Send a command that is answered with at most `size` bytes."""
        room = bytearray(size)
        reply = self.send(command, *fields, data_in=memoryview(room))
        return bytes(room[: reply.transferred])


def _way(row: Row, sense: Sense, waited_s: float, times: int) -> Way:
    """What is done about a command that was not: it waits, goes on, tries again, or stops."""
    if sense.is_deferred and row.way is not Way.GO_ON:  # it speaks of an earlier command, which cannot be sent again
        return Way.FAIL
    if row.way is Way.WAIT:
        return Way.WAIT if waited_s < LONGEST_WAIT_S else Way.FAIL
    if row.way is Way.AGAIN:
        return Way.AGAIN if times == 0 else Way.FAIL
    if row.way is Way.GO_ON:
        return Way.GO_ON if times < MOST_ATTENTIONS else Way.FAIL
    return Way.FAIL


def as_error(failed: Failed, where: str) -> DriveError:
    """The error for a person, where the place on the medium does not matter."""
    row = failed.row
    message = f"{where}: {row.why} (sense {failed.sense})"
    if issubclass(row.error, MediumError):
        return DeviceFailure(message, row.to_do or None)  # no block of it is at fault
    return row.error(message, row.to_do or None)
