"""The state of a virtual tape drive: the cartridge, where it stands, what is in its buffer, what it has to say."""

import dataclasses
from collections import deque

from drivers.scsi.generations import Generation
from drivers.virtual.check import Check
from drivers.virtual.tape.cartridge import Cartridge, Kind
from drivers.virtual.tape.motion import Clock, Motion
from drivers.virtual.tape.recording import MB, gets_to_know_cartridges
from formats.scsi.mode import BlockProtection
from formats.scsi.sense import Key, Sense

ATTENTION_CHANGED, ATTENTION_POWER_ON, ATTENTION_RESET = (0x28, 0x00), (0x29, 0x01), (0x29, 0x02)
FIRST_LOAD_S = 40 * 60.0
"""How long a drive of LTO-9 takes with a new cartridge; makers say 20 to 120 minutes."""
LARGEST_BLOCK_BYTES = 8 << 20
_CLEANING_S = 120.0
_MOST_MOUNTS, _MOST_FILLS = 20_000, 260
"""What the makers promise of a cartridge: loads and unloads, and times that it is written from end to end."""
_NEARLY = 0.9
# TapeAlert flags (SSC-4, annex A)
MEDIA_LIFE, WRITE_PROTECT, NO_REMOVAL, UNSUPPORTED, NEARING_LIFE = 7, 9, 10, 12, 19
CLEAN_NOW, CLEAN_PERIODIC, CLEANING_EXPIRED, WORM_OVERWRITE = 20, 21, 22, 60


@dataclasses.dataclass(frozen=True)
class Names:
    """What the drive calls itself."""

    vendor: str = "TANDBERG"
    model: str = ""
    revision: str = "TK01"
    serial: str = "VD00000001"


@dataclasses.dataclass
class Settings:
    """What MODE SELECT and its like set; a reset takes it back."""

    block_bytes: int = 0
    buffered: int = 1
    compresses: bool = True
    protection: BlockProtection = dataclasses.field(default_factory=BlockProtection)
    programmable_warning: int = 0
    """Bytes before early warning; 0: none."""
    key: bytes | None = None
    """Name of the key that blocks are encrypted with; the key itself is not kept."""
    decrypts: int = 0


@dataclasses.dataclass
class Totals:
    """What the drive counts since it was made, and since the cartridge came in."""

    loads: int = 0
    cleanings: int = 0
    host_written: int = 0
    host_read: int = 0
    medium_written: int = 0
    medium_read: int = 0
    write_retries: int = 0
    write_failures: int = 0
    read_retries: int = 0
    read_failures: int = 0


class Deck:
    """The drive without its command set. `at`: the object before which it stands; None: it does not know."""

    def __init__(
        self, drive: Generation, names: Names, clock: Clock, *, buffer_bytes: int | None = None,
        largest_block_bytes: int = LARGEST_BLOCK_BYTES, first_load_s: float = FIRST_LOAD_S,
    ) -> None:  # fmt: skip
        """Switch on, empty."""
        self.drive = drive
        self.names = names
        self.clock = clock
        self.motion = Motion(drive, clock, buffer_bytes)
        self.largest_block_bytes = largest_block_bytes
        self.element_address: int | None = None
        """Where the drive is in its library; None: in none."""
        self.cartridge: Cartridge | None = None
        """Threaded."""
        self.at_door: Cartridge | None = None
        """Unloaded, still to be taken; a LOAD draws it in again."""
        self.at: int | None = 0
        self.settings = Settings()
        self.totals = Totals()
        self.alerts: set[int] = set()
        self.attentions: list[tuple[int, int]] = [ATTENTION_POWER_ON]
        self.deferred: Sense | None = None
        self.last_sense: Sense | None = None
        self.is_removal_prevented = False
        self.is_held = False
        self.needs_cleaning = False
        self.has_asked_for_cleaning = False
        self._first_load_s = first_load_s
        self._ready_s = 0.0
        self._buffered: deque[tuple[int, int]] = deque()
        self._buffered_bytes = 0

    # what hands, robots and cables do

    def insert(self, cartridge: Cartridge) -> None:
        """Put a cartridge in; the drive threads it by itself."""
        if self.cartridge or self.at_door:
            raise ValueError("there is a cartridge in the drive")
        self.at_door = cartridge
        self.attentions.append(ATTENTION_CHANGED)
        self.thread()

    def take_out(self) -> Cartridge | None:
        """Take the cartridge; one that is still threaded is unloaded first."""
        self.unthread()
        taken, self.at_door = self.at_door, None
        return taken

    def reset(self, attention: tuple[int, int] = ATTENTION_RESET) -> None:
        """Bus or device reset: what was in the buffer is lost, and so is the place."""
        self.lose_buffer()
        self.settings = Settings()
        self.deferred, self.is_removal_prevented = None, False
        self.motion.halt()
        self.at = None if self.cartridge else 0
        self.attentions = [attention]

    def power_cut(self) -> None:
        """Off and on: as a reset, and the cartridge is threaded anew, so that the drive stands at its beginning."""
        self.reset(ATTENTION_POWER_ON)
        self.at = 0

    def close(self) -> None:
        """Let the cartridge's file go, with all that is in the buffer written."""
        taken = self.take_out()
        if taken:
            taken.close()

    # loading

    def thread(self) -> None:
        """Draw in what is at the door."""
        cartridge = self.at_door
        if cartridge is None:
            return
        self.at_door, self.cartridge, self.at, self.is_held = None, cartridge, 0, False
        self.motion.thread()
        self.totals.loads += 1
        cartridge.add_to_fact("loads")
        cartridge.set_fact("last_written", 0)
        cartridge.set_fact("last_read", 0)
        self._ready_s = self.clock.now()
        if cartridge.kind is Kind.CLEANING:
            self._clean(cartridge)
        elif not cartridge.fact("initialized"):
            if gets_to_know_cartridges(self.drive):
                self._ready_s += self._first_load_s
            cartridge.set_fact("initialized", 1)
        self._judge_wear(cartridge)
        if cartridge.kind is not Kind.CLEANING and cartridge.recording.media_id not in self.drive.reads:
            self.alerts.add(UNSUPPORTED)
        cartridge.commit()

    def unthread(self) -> None:
        """Write out the buffer and bring the cartridge to the door."""
        if self.cartridge:
            self.flush()
            self.cartridge.commit()
            self.motion.thread()
            self.at_door, self.cartridge, self.at = self.cartridge, None, 0
            self.settings.key, self.settings.decrypts = None, 0
            self.alerts.clear()

    def _clean(self, cartridge: Cartridge) -> None:
        if not cartridge.fact("cleanings_left"):
            self.alerts.add(CLEANING_EXPIRED)
            return
        cartridge.add_to_fact("cleanings_left", -1)
        self.totals.cleanings += 1
        self.needs_cleaning = False
        self.alerts -= {CLEAN_NOW, CLEAN_PERIODIC}
        self.clock.wait(_CLEANING_S)

    def _judge_wear(self, cartridge: Cartridge) -> None:
        fills = cartridge.fact("written") / cartridge.capacity
        wear = max(cartridge.fact("loads") / _MOST_MOUNTS, fills / _MOST_FILLS)
        if wear >= 1:
            self.alerts.add(MEDIA_LIFE)
        elif wear >= _NEARLY:
            self.alerts.add(NEARING_LIFE)

    def request_cleaning(self) -> None:
        """The heads are dirty."""
        self.needs_cleaning, self.has_asked_for_cleaning = True, False
        self.alerts.add(CLEAN_NOW)

    # what commands ask first

    def ready(self) -> Cartridge:
        """The cartridge. Raises Check where there is none that can be used."""
        if self.cartridge is None:
            raise Check(Key.NOT_READY, 0x3A, 0x00)
        if self.is_held:
            raise Check(Key.NOT_READY, 0x04, 0x02)
        if self.clock.now() < self._ready_s:
            raise Check(Key.NOT_READY, 0x04, 0x01)
        if self.cartridge.kind is Kind.CLEANING:
            expired = CLEANING_EXPIRED in self.alerts
            raise Check(Key.NOT_READY, 0x30, 0x0B if expired else 0x03)
        if self.cartridge.recording.media_id not in self.drive.reads:
            raise Check(Key.NOT_READY, 0x30, 0x00)
        return self.cartridge

    def place(self) -> int:
        """Where it stands. Raises Check where that is lost."""
        if self.at is None:
            raise Check(Key.MEDIUM_ERROR, 0x3B, 0x00)
        return self.at

    def writable(self) -> Cartridge:
        """The cartridge, for writing at this place. Raises Check."""
        cartridge, at = self.ready(), self.place()
        if not cartridge.takes_writes:
            self.alerts.add(WRITE_PROTECT)
            raise Check(Key.DATA_PROTECT, 0x27, 0x00)
        if cartridge.recording.media_id not in self.drive.writes:
            raise Check(Key.DATA_PROTECT, 0x30, 0x05)
        # Filemarks at the end may be overwritten, so that a last file can be added to (LTO's rule for WORM)
        if cartridge.kind is Kind.WORM and at < cartridge.end and not cartridge.is_only_filemarks_from(at):
            self.alerts.add(WORM_OVERWRITE)
            raise Check(Key.DATA_PROTECT, 0x30, 0x0C)
        return cartridge

    def used(self) -> int:
        """Bytes of the medium before this place."""
        return self.cartridge.begins(self.at) if self.cartridge and self.at is not None else 0

    def is_warned(self) -> bool:
        """Whether this place is behind early warning."""
        cartridge = self.cartridge
        return cartridge is not None and self.used() > cartridge.capacity - cartridge.early_warning

    def is_warned_as_told(self) -> bool:
        """Whether it is behind the programmable early warning."""
        cartridge, wanted = self.cartridge, self.settings.programmable_warning
        if cartridge is None or not wanted:
            return False
        return self.used() > cartridge.capacity - cartridge.early_warning - wanted

    # the buffer

    def buffer(self, number: int, size: int) -> None:
        """An object has been taken that is not on the medium yet."""
        self._buffered.append((number, size))
        self._buffered_bytes += size
        self._settle(self.motion.level)

    def _settle(self, level: float) -> None:
        """What the tape took is not in the buffer any more."""
        while self._buffered and self._buffered_bytes - self._buffered[0][1] >= level:
            self._buffered_bytes -= self._buffered.popleft()[1]

    @property
    def buffered(self) -> tuple[int, int]:
        """Objects and bytes in the buffer."""
        self._settle(self.motion.now_level())
        return len(self._buffered), self._buffered_bytes

    def flush(self) -> None:
        """Put the buffer on the medium."""
        self.motion.flush()
        self._buffered.clear()
        self._buffered_bytes = 0
        if self.cartridge:
            self.cartridge.commit()

    def lose_buffer(self) -> None:
        """What is in the buffer is lost; the medium ends before it."""
        if self._buffered and self.cartridge:
            first = self._buffered[0][0]
            self.cartridge.truncate(first)
            self.at = first
        self._buffered.clear()
        self._buffered_bytes = 0
        self.motion.halt()

    def travel_to(self, target: int) -> None:
        """Go before object `target`."""
        if self.cartridge:
            self.flush()
            way = abs(self.cartridge.begins(target) - self.used())
            self.motion.travel(way / max(self.cartridge.capacity, 1))
        self.at = target

    def count_written(self, host: int, medium: int) -> None:
        """Data came from the host and went to the medium."""
        self.totals.host_written += host
        self.totals.medium_written += medium
        if self.cartridge:
            self.cartridge.add_to_fact("written", medium)
            self.cartridge.add_to_fact("last_written", medium)

    def count_read(self, host: int, medium: int) -> None:
        """Data came from the medium and went to the host."""
        self.totals.host_read += host
        self.totals.medium_read += medium
        if self.cartridge:
            self.cartridge.add_to_fact("read", medium)
            self.cartridge.add_to_fact("last_read", medium)


def megabytes(size: int) -> int:
    """As log pages count: 10^6 bytes."""
    return size // MB
