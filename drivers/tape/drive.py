"""A tape drive behind the contract of drivers.base: SSC commands over the kernel's sg driver or a virtual device."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping

from drivers.base import Content, Health, Identity, Mark, MediumState, Position, Streaming
from drivers.errors import (
    BlankMedium,
    DriveError,
    ForeignMedium,
    IncompatibleMedium,
    MediumChanged,
    MediumError,
    NoMedium,
    WriteProtected,
)
from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.link import Failed, Link, Patience, as_error
from drivers.scsi.transport import Transport
from drivers.tape import content, protection, state
from drivers.tape.reel import Reel
from drivers.tape.state import Cartridge
from formats.block import LARGEST_BLOCK_BYTES
from formats.errors import FormatError
from formats.scsi import mam, tape

APPLICATION = "tapekit"
USUAL_BLOCK_BYTES = 256 << 10
"""In the field, 512 KiB came back as EBUSY from host adapters that carried half of that."""


class TapeDrive:
    """See drivers.base.Drive for the methods."""

    def __init__(
        self, url: str, transport: Transport, *, writable: bool = True, patience: Patience | None = None,
        let_go: Callable[[], None] = lambda: None, compression: bool = False, plain_node: str = "",
    ) -> None:  # fmt: skip
        """Take over an open way to the drive; `let_go` is called when it is given back.

        `plain_node`: the kernel's own node of it, for other programs; empty where there is none.

        `compression`: the drive's own; off, because neither what is encrypted nor what is compressed gets smaller.
        Raises NoDevice, IncompatibleMedium, TransportError.
        """
        self.url = url
        self._link = Link(url, transport, patience)
        self._writable = writable
        self._let_go = let_go
        self._compression = compression
        self._identity, kind, self.generation = state.identity(transport)
        self._identity = dataclasses.replace(self._identity, plain_node=plain_node)
        self._link.generation = self.generation
        content.check_type(url, kind)
        self._reel = Reel(self._link, self._set_up_again)
        self._found_compressing = compression
        """How the drive was when we came, and is when we go."""
        self._cartridge: Cartridge | None = None
        self._content, self._found = Content.BLANK, ("", "")
        self._largest_bytes = LARGEST_BLOCK_BYTES
        self._left_bytes = 0
        self._is_closed = self._is_locked = False
        self._counts = {"blocks read": 0, "blocks written": 0, "read errors": 0, "write errors": 0}
        try:
            self._examine()
        except DriveError:
            self._end_protection()
            raise

    # --- what is there ----------------------------------------------------------------------------------------------

    def identify(self) -> Identity:
        """See Drive."""
        return self._identity

    def medium(self) -> MediumState:
        """See Drive."""
        found = self._cartridge
        if found is None or self._reel.is_gone:
            return MediumState(present=False)
        return MediumState(
            present=True, content=self._content, write_protected=found.write_protected or not self._writes(found),
            worm=found.worm, capacity_bytes=found.capacity_bytes, remaining_bytes=max(0, self._left_bytes),
            serial=found.serial, barcode=found.barcode, largest_block_bytes=self._largest_bytes,
            usual_block_bytes=USUAL_BLOCK_BYTES, is_tape=True, streaming=self._streaming(), found=self._found[0],
            description=self._found[1],
        )  # fmt: skip

    def _streaming(self) -> Streaming | None:
        """Of the drive's own generation: an older cartridge goes more slowly, and needs less."""
        known, clock = self.generation, self._link.patience
        if known is None:
            return None
        return Streaming(known.floor_mb_s * state.MB, known.buffer_mib * state.MIB, clock.now, clock.sleep)

    def _writes(self, found: Cartridge) -> bool:
        """Whether a drive of this generation writes such a cartridge, as far as both are known."""
        return self.generation is None or not found.media_id or found.media_id in self.generation.writes

    def health(self) -> Health:
        """See Drive."""
        flags = state.alerts(self._link.transport)
        notes = tuple(row.why for row in self._link.notes)
        return Health(flags, notes, state.counters(self._link.transport) | self._counts)

    def attributes(self) -> dict[str, int | str]:
        """All that the cartridge's chip holds, by the names of formats.scsi.mam."""
        return {one.name: one.shown for one in state.attributes(self._link.transport)}

    # --- blocks and places ------------------------------------------------------------------------------------------

    def format(self, front: Mapping[str, bytes]) -> None:
        """See Drive. A tape has no front: what label.json says goes into the cartridge's chip."""
        found = self._writable_cartridge()
        if found.worm and self._content is not Content.BLANK:
            raise WriteProtected(f"{self.url}: can be written only once, and was", "use another cartridge")
        if self._content is not Content.BLANK:
            self.erase()
        self._content = Content.CARTRIDGE
        self._tag(front.get("label.json", b""))

    def _tag(self, document: bytes) -> None:
        """Write name, pool and program into the chip; a drive or a chip that takes none is no reason to stop."""
        try:
            label = json.loads(document)
        except ValueError:
            return
        name = str(label.get("barcode") or "")
        texts = (
            (mam.APPLICATION_VENDOR, APPLICATION), (mam.APPLICATION_NAME, APPLICATION),
            (mam.APPLICATION_VERSION, str(label.get("tool", "")).removeprefix("tapekit ")),
            (mam.USER_LABEL, name), (mam.BARCODE, name), (mam.POOL, str(label.get("pool") or "")),
        )  # fmt: skip
        for number, value in texts:
            with contextlib.suppress(CommandFailed):
                commands.write_attributes(self._link.transport, (mam.written(number, value),))

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        """See Drive."""
        self._writable_cartridge()
        if not 0 < len(block) <= self._largest_bytes:
            raise ValueError(f"a block of {len(block)} bytes; the drive takes 1 to {self._largest_bytes}")
        self._need_our_content()
        try:
            is_warned = self._reel.write(block)
        except DriveError:
            self._counts["write errors"] += 1
            raise
        self._left_bytes -= len(block)
        self._counts["blocks written"] += 1
        return is_warned

    def write_filemark(self) -> None:
        """See Drive."""
        self._writable_cartridge()
        self._need_our_content()
        with self._link.long("writing out what is in the drive"):
            self._reel.write_filemark()
        self._ask_remaining()

    def read_block(self) -> "bytes | Mark":
        """See Drive."""
        self._need_content()
        try:
            found = self._reel.read()
        except DriveError:
            self._counts["read errors"] += 1
            raise
        if not isinstance(found, Mark):
            self._counts["blocks read"] += 1
        return found

    def position(self) -> Position:
        """See Drive."""
        self._need_content()
        return self._reel.position()

    def buffered_bytes(self) -> int | None:
        """See Buffering. Raises what a late failure of an earlier write raises."""
        self._need_content()
        return self._reel.buffered_bytes()

    def locate(self, file: int, block: int = 0) -> None:
        """See Drive."""
        self._need_content()
        with self._link.long("searching the tape"):
            self._reel.locate(file, block)

    def rewind(self) -> None:
        """See Drive."""
        self._need_content()
        with self._link.long("rewinding"):
            self._reel.rewind()

    def to_end_of_data(self) -> None:
        """See Drive."""
        self._need_content()
        with self._link.long("winding to the end of the data"):
            self._reel.to_end_of_data()
        self._ask_remaining()

    # --- the cartridge ----------------------------------------------------------------------------------------------

    def load(self) -> None:
        """See Drive."""
        self._reel.run(self._link.load)
        self._examine()

    def eject(self) -> None:
        """See Drive."""
        if self._cartridge is None or self._reel.is_gone:
            return
        self.lock(False)  # noqa: FBT003 - the contract's shape
        self._end_protection()
        with self._link.long("ejecting the cartridge"):
            self._reel.do(commands.LOAD_UNLOAD)
        self._cartridge = None

    def lock(self, locked: bool) -> None:  # noqa: FBT001 - the contract's shape
        """See Drive."""
        self._reel.do(commands.PREVENT_ALLOW, (4, 1, int(locked)))
        self._is_locked = locked

    def allow_removal(self) -> None:
        """What a process has locked that was killed can be taken out again: no kernel does that for a tape."""
        with contextlib.suppress(DriveError):
            commands.prevent_removal(self._link.transport, prevented=False)

    def erase(self) -> None:
        """See Drive. The end of data is put before the first block: no drive reads behind it."""
        self._writable_cartridge()
        with self._link.long("erasing"):
            self._reel.erase()
        self._content, self._found = Content.BLANK, ("", "")
        self._ask_remaining()

    def close(self) -> None:
        """See Drive."""
        if not self._is_closed:
            self._is_closed = True
            if self._is_locked:
                self.allow_removal()
            self._end_protection()
            if self._found_compressing != self._compression:
                with contextlib.suppress(DriveError):
                    content.set_up(self._link, compression=self._found_compressing)
            self._link.transport.close()
            self._let_go()

    # --- setting up -------------------------------------------------------------------------------------------------

    def _examine(self) -> None:
        """Look at what is in the drive, and set the drive up for it."""
        transport = self._link.transport
        self._cartridge = None
        self._reel = Reel(self._link, self._set_up_again)
        if protection.state(self._link) is not None:
            protection.switch(self._link, on=False)  # a crash may have left it on
        try:
            self._link.drain()
        except Failed as failed:
            if failed.row.error is NoMedium:
                return
            raise as_error(failed, self.url) from failed
        found = state.cartridge(transport, self.generation)
        content.check_generation(self.url, self.generation, found)
        self._cartridge, self._left_bytes = found, found.remaining_bytes
        with contextlib.suppress(DriveError, FormatError):
            limits = tape.parse_limits(self._reel.answer(commands.READ_BLOCK_LIMITS, size=tape.LIMITS_BYTES))
            self._largest_bytes = min(limits.largest_bytes, LARGEST_BLOCK_BYTES)
        self._set_up(self._reel)
        self._look_at_first_block()

    def _set_up(self, reel: Reel) -> None:
        """Blocks of any size, the drive's compression as wanted, a check with each block where the drive can."""
        if content.set_up(self._link, compression=self._compression):
            self._found_compressing = not self._compression
        reel.is_protected = protection.state(self._link) is not None and protection.switch(self._link, on=True)

    def _set_up_again(self, reel: Reel) -> None:
        """After a reset. Raises MediumChanged where the chip is another one's: that may have been told to others."""
        known = self._cartridge
        serial = state.cartridge(self._link.transport, self.generation).serial
        if known is not None and serial != known.serial:
            raise MediumChanged(
                f"{self.url}: the cartridge was changed: {known.serial} was in, {serial or 'another one'} is",
                "run the command again, with the right one in",
            )
        self._set_up(reel)

    def _look_at_first_block(self) -> None:
        """Blank, one of ours, or something else. The tape stands at its beginning afterwards."""
        with self._link.long("looking at the cartridge"):
            self._reel.rewind()
            try:
                self._content, self._found = content.of_first_block(self._reel.read())
            except MediumError:  # nothing that cannot be read is called blank
                self._content, self._found = Content.CARTRIDGE, ("", "")
            self._reel.rewind()

    def _writable_cartridge(self) -> Cartridge:
        found = self._present()
        if not self._writable or found.write_protected:
            raise WriteProtected(f"{self.url}: write-protected", "move the slider, or use another cartridge")
        if not self._writes(found):
            raise IncompatibleMedium(
                f"{self.url}: an {found.media_id} cartridge: this drive reads it, and does not write it",
                f"use one of {', '.join(self.generation.writes) if self.generation else 'its own generation'}",
            )
        return found

    def _present(self) -> Cartridge:
        if self._cartridge is None:
            raise NoMedium(f"{self.url}: no cartridge in the drive", "put it in")
        if self._reel.is_gone:
            raise NoMedium(f"{self.url}: the cartridge was taken out", "run the command again, with the right one in")
        return self._cartridge

    def _need_content(self) -> None:
        self._present()
        if self._content is Content.BLANK:
            raise BlankMedium(
                f"{self.url}: blank: nothing was ever written on it", "label it first: tapekit label DRIVE"
            )

    def _need_our_content(self) -> None:
        """Reading what is not ours does no harm; writing waits for `format`."""
        self._need_content()
        if self._content is Content.FOREIGN:
            raise ForeignMedium(f"{self.url}: holds {self._found[1]}", self._found[0])

    def _ask_remaining(self) -> None:
        left = state.remaining_bytes(self._link.transport)
        if left is not None:
            self._left_bytes = left

    def _end_protection(self) -> None:
        if self._reel.is_protected:
            self._reel.is_protected = False
            with contextlib.suppress(DriveError):  # the drive is gone: the next opening does it
                protection.switch(self._link, on=False)
