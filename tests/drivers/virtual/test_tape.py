"""The virtual drive keeps to SSC-4 where a backup depends on it."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.scsi import commands
from drivers.virtual.tape import counters, security
from drivers.virtual.tape.cartridge import Cartridge, Kind
from drivers.virtual.tape.transfer import check_of
from formats.scsi import logs, mam, mode, tape
from formats.scsi.mode import BlockProtection, Compression, Mode
from formats.scsi.sense import Key, Sense
from formats.scsi.tape import TapePosition
from tests.drivers.virtual.host import Host, cartridge

FILEMARK = Sense(Key.NO_SENSE, 0x00, 0x01, filemark=True)
EARLY_WARNING = Sense(Key.NO_SENSE, 0x00, 0x02, eom=True, information=0)


def block(number: int, size: int = 1000) -> bytes:
    return random.Random(number).randbytes(size)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(cartridge(tmp_path))
    yield made
    made.deck.close()


def three_files(host: Host) -> None:
    """Objects 0-2 and a filemark, 4 and a filemark, 6 and no filemark."""
    host.write(block(0), block(1), block(2))
    host.mark()
    host.write(block(4))
    host.mark()
    host.write(block(6))
    host.mark(0)


def code(sense: Sense | None) -> tuple[int, int, int] | None:
    return None if sense is None else (sense.key, sense.asc, sense.ascq)


def test_blocks_and_marks_come_back(host: Host) -> None:
    three_files(host)
    host.rewind()
    assert [host.read(1000)[1] for _ in range(3)] == [block(0), block(1), block(2)]
    assert host.read(1000) == (Sense(Key.NO_SENSE, 0, 1, filemark=True, information=1000), b"")
    assert host.position() == TapePosition(4, 1)
    host.locate(6)
    assert host.read(1000) == (None, block(6))
    assert host.read(1000) == (Sense(Key.BLANK_CHECK, 0, 5, information=1000), b"")
    assert host.position() == TapePosition(7, 2)


def test_a_block_of_another_size_is_passed_over_and_measured(host: Host) -> None:
    host.write(block(0))
    host.rewind()
    assert host.read(1100) == (Sense(Key.NO_SENSE, ili=True, information=100), block(0))
    host.rewind()
    assert host.read(900) == (Sense(Key.NO_SENSE, ili=True, information=-100), block(0)[:900])
    assert host.position().object == 1
    assert host.space(-1) is None
    assert host.read(1000) == (None, block(0))
    host.rewind()
    silent, data = host.ask(commands.READ, (1, 1, 2), (2, 3, 1100), size=1100)
    assert (silent.sense, data) == (None, block(0))


def test_fixed_blocks(host: Host) -> None:
    assert code(host.do(commands.WRITE, (1, 1, 1), (2, 3, 2), data=bytes(1000))) == (5, 0x24, 0)  # no size set
    commands.mode_select(host.transport, Mode(density=0, block_bytes=500))
    assert host.do(commands.WRITE, (1, 1, 1), (2, 3, 4), data=block(0, 2000)) is None
    assert host.position().object == 4
    host.rewind()
    reply, data = host.ask(commands.READ, (1, 1, 1), (2, 3, 6), size=3000)
    assert (reply.sense, data) == (Sense(Key.BLANK_CHECK, 0, 5, information=2), block(0, 2000))


@pytest.mark.parametrize(
    ("start", "count", "kind", "sense", "place"),
    (
        (0, 2, 0, None, 2),
        (1, 5, 0, Sense(Key.NO_SENSE, 0, 1, filemark=True, information=3), 4),
        (6, 3, 0, Sense(Key.BLANK_CHECK, 0, 5, information=2), 7),
        (3, -2, 0, None, 1),
        (5, -4, 0, Sense(Key.NO_SENSE, 0, 1, filemark=True, information=3), 3),
        (2, -5, 0, Sense(Key.NO_SENSE, 0, 4, eom=True, information=3), 0),
        (0, 1, 1, None, 4),
        (0, 2, 1, None, 6),
        (1, 5, 1, Sense(Key.BLANK_CHECK, 0, 5, information=3), 7),
        (7, -1, 1, None, 5),
        (7, -2, 1, None, 3),
        (7, -4, 1, Sense(Key.NO_SENSE, 0, 4, eom=True, information=2), 0),
        (4, 0, 0, None, 4),
        (2, 0, 1, None, 2),
    ),
)
def test_spacing_says_how_far_it_came(
    host: Host, start: int, count: int, kind: int, sense: Sense | None, place: int
) -> None:
    three_files(host)
    host.locate(start)
    assert host.space(count, kind) == sense
    assert host.position().object == place


def test_locate_to_files_and_ends(host: Host) -> None:
    three_files(host)
    assert host.locate(2, kind=1) is None
    assert host.position() == TapePosition(6, 2)
    assert code(host.locate(0, kind=1)) == (5, 0x24, 0)  # as drives have it: one rewinds
    assert code(host.locate(3, kind=1)) == (8, 0, 5)
    assert host.locate(0, kind=3) is None
    assert host.position().object == 7
    assert code(host.locate(8)) == (8, 0, 5)
    assert host.do(commands.LOCATE, (3, 4, 5)) is None
    _, raw = host.ask(commands.READ_POSITION, size=tape.SHORT_POSITION_BYTES)
    assert tape.parse_short(raw).object == 5


def test_positions_behind_32_bits_are_refused_not_wrapped(host: Host) -> None:
    host.write(block(0))
    assert code(host.locate(1 << 32)) == (8, 0, 5)
    assert code(host.do(commands.SPACE_16, (1, 1, 0), (4, 8, -(1 << 40)))) == (0, 0, 4)


def test_what_is_written_ends_the_tape(host: Host) -> None:
    three_files(host)
    host.locate(1)
    host.write(block(9))
    host.mark()
    assert host.position() == TapePosition(3, 1)
    host.write(block(10))
    host.mark()
    assert host.position() == TapePosition(5, 2)
    assert host.read()[0] == Sense(Key.BLANK_CHECK, 0, 5, information=1 << 20)
    assert host.locate(6) == Sense(Key.BLANK_CHECK, 0, 5)
    host.rewind()
    assert host.do(commands.ERASE) is None
    assert code(host.read()[0]) == (8, 0, 5)


def test_early_warning_then_the_end(host: Host) -> None:
    answers = [host.write(block(number, 50_000)) for number in range(21)]
    assert answers[:15] == [None] * 15
    assert answers[15:20] == [EARLY_WARNING] * 5  # every write behind it is told, and is done
    assert answers[20] == Sense(Key.VOLUME_OVERFLOW, 0, 2, eom=True, information=50_000)
    assert host.position() == TapePosition(20, 0, is_early_warning=True)
    assert code(host.mark()) == (0, 0, 2)  # a filemark fits always
    host.locate(19)
    assert host.read(50_000) == (None, block(19, 50_000))


def test_programmable_early_warning_comes_once_before(host: Host) -> None:
    host.deck.settings.programmable_warning = 200_000
    found = [code(host.write(block(number, 50_000))) for number in range(17)]
    assert found == [None] * 11 + [(0, 0, 7)] + [None] * 3 + [(0, 0, 2)] * 2


def test_the_room_that_compression_saves_is_room(host: Host) -> None:
    for _ in range(30):
        assert host.write(bytes(50_000)) is None
    page = mode.page(mode.COMPRESSION_PAGE, mode.build_compression(Compression(is_on=False)))
    commands.mode_select(host.transport, Mode(pages=(page,)))
    host.rewind()
    answers = [host.write(bytes(50_000)) for _ in range(16)]
    assert answers[15] == EARLY_WARNING


def test_protected_worm_and_other_generations(tmp_path: Path) -> None:
    protected = Host(cartridge(tmp_path, "L5"))
    protected.write(block(0))
    assert protected.deck.cartridge
    protected.deck.cartridge.set_fact("protected", 1)
    assert code(protected.write(block(1))) == (7, 0x27, 0)
    assert code(protected.mark()) == (7, 0x27, 0)
    assert code(protected.do(commands.ERASE)) == (7, 0x27, 0)
    assert commands.mode_sense(protected.transport, 0).is_write_protected
    assert 9 in protected.deck.alerts

    worm = Host(cartridge(tmp_path, "L6", kind=Kind.WORM))
    worm.write(block(0))
    worm.mark()
    worm.locate(1)
    assert worm.write(block(1)) is None  # over filemarks at the end, LTO lets one write
    worm.rewind()
    assert code(worm.write(block(2))) == (7, 0x30, 0x0C)
    assert code(worm.do(commands.ERASE)) == (7, 0x30, 0x0C)
    assert commands.mode_sense(worm.transport, 0).medium_type == 0x6C
    assert worm.read(1000) == (None, block(0))

    old = Host(cartridge(tmp_path, "L4"), 6)
    assert code(old.do(commands.TEST_UNIT_READY)) is None
    assert code(old.write(block(0))) == (7, 0x30, 0x05)
    for media, number in (("L3", 6), ("M8", 9), ("L9", 10), ("L7", 6)):
        other = Host(cartridge(tmp_path, media), number)
        assert code(other.do(commands.TEST_UNIT_READY)) == (2, 0x30, 0), media
    assert code(Host(cartridge(tmp_path, "PA"), 10).write(block(0))) is None


def test_loading_and_unloading(host: Host, tmp_path: Path) -> None:
    host.write(block(0))
    commands.prevent_removal(host.transport, prevented=True)
    assert code(host.do(commands.LOAD_UNLOAD)) == (5, 0x53, 2)
    commands.prevent_removal(host.transport, prevented=False)
    assert host.do(commands.LOAD_UNLOAD) is None
    assert code(host.do(commands.TEST_UNIT_READY)) == (2, 0x3A, 0)
    assert host.do(commands.LOAD_UNLOAD, (4, 1, 1)) is None
    assert code(host.do(commands.TEST_UNIT_READY)) == (6, 0x28, 0)
    assert host.read(1000) == (None, block(0))
    assert host.do(commands.LOAD_UNLOAD, (4, 1, 8)) is None  # held, not ejected
    assert code(host.do(commands.TEST_UNIT_READY)) == (2, 4, 2)
    assert host.do(commands.LOAD_UNLOAD, (4, 1, 1)) is None
    assert host.position().object == 0
    taken = host.deck.take_out()
    assert taken
    assert code(host.do(commands.LOAD_UNLOAD, (4, 1, 1))) == (2, 0x3A, 0)
    taken.close()
    again = Cartridge(taken.path)
    assert (again.end, again.fact("loads")) == (1, 2)
    again.close()


def test_lto_9_gets_to_know_a_new_cartridge(tmp_path: Path) -> None:
    host = Host(cartridge(tmp_path, "L9", is_new=True), 9)
    assert code(host.do(commands.TEST_UNIT_READY)) == (2, 4, 1)
    host.clock.wait(39 * 60)
    assert code(host.write(block(0))) == (2, 4, 1)
    host.clock.wait(60)
    assert host.write(block(0)) is None
    taken = host.deck.take_out()
    assert taken
    host.deck.insert(taken)
    assert code(host.do(commands.TEST_UNIT_READY)) == (6, 0x28, 0)
    assert host.do(commands.TEST_UNIT_READY) is None


def test_cleaning(host: Host, tmp_path: Path) -> None:
    host.write(block(0))
    host.deck.request_cleaning()
    told = host.write(block(1))
    assert code(told) == (0, 0, 0x17)
    assert host.position().object == 2  # and was done
    assert host.write(block(2)) is None  # told once
    assert commands.log_sense(host.transport, logs.DRIVE_STATUS_PAGE).parameters[0].value[0] & 6
    data = host.deck.take_out()
    cleaner = cartridge(tmp_path, "L6", kind=Kind.CLEANING)
    cleaner.set_fact("cleanings_left", 1)
    for left, sense, needs in ((0, 0x03, False), (0, 0x0B, False)):
        host.deck.insert(cleaner)
        host.deck.attentions.clear()
        assert code(host.do(commands.TEST_UNIT_READY)) == (2, 0x30, sense)
        assert (cleaner.fact("cleanings_left"), host.deck.needs_cleaning) == (left, needs)
        host.deck.take_out()
    assert data
    host.deck.insert(data)
    host.deck.attentions.clear()
    assert host.read(1000) == (None, block(0))


def test_alerts_are_cleared_by_the_page_that_clears(host: Host) -> None:
    host.write(block(0))
    assert host.deck.cartridge
    host.deck.cartridge.damage(0)
    host.rewind()
    assert code(host.read()[0]) == (3, 0x11, 0)
    assert host.position().object == 1
    for _ in range(2):
        assert logs.alerts(commands.log_sense(host.transport, logs.ALERT_RESPONSE_PAGE)) == {1, 3, 5}
    assert logs.alerts(commands.log_sense(host.transport, logs.ALERT_PAGE)) == {1, 3, 5}
    assert logs.alerts(commands.log_sense(host.transport, logs.ALERT_RESPONSE_PAGE)) == frozenset()
    assert commands.log_sense(host.transport, logs.READ_ERRORS_PAGE).number(6) == 1


def test_all_log_pages_are_answered(host: Host) -> None:
    pages = commands.log_pages(host.transport)
    wanted = {0x02, 0x03, 0x0C, 0x11, 0x12, 0x14, 0x17, 0x1B, 0x2E, 0x30, 0x31, counters.STREAMING_PAGE}
    assert wanted <= set(pages)
    for page in pages[1:]:
        assert commands.log_sense(host.transport, page).parameters
    assert code(host.do(commands.LOG_SENSE, (2, 1, 0x40 | 0x0D), (7, 2, 100))) == (5, 0x24, 0)


def test_a_worn_cartridge_says_so(tmp_path: Path) -> None:
    medium = cartridge(tmp_path)
    for loads, alerts in ((17_000, set()), (18_000, {19}), (20_000, {7})):
        medium.set_fact("loads", loads)
        host = Host(medium)
        assert host.deck.alerts == alerts
        host.deck.take_out()


def test_the_chip(host: Host) -> None:
    host.write(block(0, 300_000))
    host.mark()
    values = {one.name: one.shown for one in commands.read_attributes(host.transport)}
    assert (values["load_count"], values["maximum_mib"], values["density"]) == (1, 0, 0x5A)
    commands.write_attributes(host.transport, (mam.written(mam.BARCODE, "TK0001L6"),))
    assert mam.BARCODE in commands.attribute_ids(host.transport)
    assert [one.shown for one in commands.read_attributes(host.transport, mam.BARCODE)] == ["TK0001L6"]
    for bad in (mam.Attribute(mam.SERIAL, b"X".ljust(32)), mam.Attribute(mam.BARCODE, b"short")):
        with pytest.raises(commands.CommandFailed, match="05/26/00"):
            commands.write_attributes(host.transport, (bad,))
    commands.write_attributes(host.transport, (mam.Attribute(mam.BARCODE, b""),))
    with pytest.raises(commands.CommandFailed, match="05/24/00"):
        commands.read_attributes(host.transport, mam.BARCODE)


def test_block_protection(host: Host) -> None:
    def switch(protection: BlockProtection) -> None:
        page = mode.page(mode.CONTROL_PAGE, mode.build_protection(protection), mode.PROTECTION_SUBPAGE)
        commands.mode_select(host.transport, Mode(pages=(page,)), long=True)

    switch(BlockProtection(mode.CRC32C, on_write=True, on_read=True))
    assert host.write(block(0) + check_of(block(0))) is None
    assert code(host.write(block(1) + check_of(block(0)))) == (0xB, 0x10, 1)
    assert host.position().object == 1
    host.rewind()
    assert host.read(1004) == (None, block(0) + check_of(block(0)))
    switch(BlockProtection())
    host.rewind()
    assert host.read(1000) == (None, block(0))
    with pytest.raises(commands.CommandFailed, match="05/26/00"):
        switch(BlockProtection(mode.REED_SOLOMON, on_write=True))
    assert check_of(b"123456789") == (0xE3069283).to_bytes(4, "little")  # the polynomial's known answer


def test_encryption_by_the_drive(host: Host) -> None:
    def set_key(key: bytes, encryption: int, decryption: int) -> Sense | None:
        data = bytes((0, 0x10, 0, 0, 0x40, 0, encryption, decryption, 1)).ljust(18, b"\0") + len(key).to_bytes(2) + key
        return host.do(commands.SECURITY_OUT, (1, 1, 0x20), (2, 2, 0x10), (6, 4, len(data)), data=data)

    _, capabilities = host.ask(commands.SECURITY_IN, (1, 1, 0x20), (2, 2, security.CAPABILITIES), (6, 4, 1000))
    assert int.from_bytes(capabilities[40:44]) == security.AES_256_GCM
    host.write(block(0))
    assert set_key(bytes(32), 2, 2) is None
    host.write(block(1))
    host.rewind()
    assert code(host.read(1000)[0]) == (7, 0x74, 2)  # a plain block
    host.locate(1)
    assert host.read(1000) == (None, block(1))
    set_key(b"k" * 32, 2, 2)
    host.locate(1)
    assert code(host.read(1000)[0]) == (7, 0x74, 3)
    set_key(b"", 0, 0)
    assert code(host.read(1000)[0]) == (7, 0x74, 1)
    assert host.position().object == 1
    assert code(set_key(b"short", 2, 2)) == (5, 0x26, 0)


def test_densities_and_modes(host: Host) -> None:
    _, raw = host.ask(commands.REPORT_DENSITY, (7, 2, 1000), size=1000)
    found = tape.parse_densities(raw)
    assert [(one.code, one.is_writable, one.is_default) for one in found] == [
        (0x46, False, False), (0x58, True, False), (0x5A, True, True)
    ]  # fmt: skip
    _, raw = host.ask(commands.REPORT_DENSITY, (1, 1, 1), (7, 2, 1000), size=1000)
    assert [one.code for one in tape.parse_densities(raw)] == [0x5A]
    assert commands.mode_sense(host.transport, 0).density == 0x5A
    assert len(commands.mode_sense(host.transport, mode.ALL_PAGES).pages) == 4
    with pytest.raises(commands.CommandFailed, match="05/24/00"):
        commands.mode_sense(host.transport, 0x2D)
    assert code(host.do(commands.READ_ELEMENT_STATUS)) == (5, 0x20, 0)
    assert commands.product_page(host.transport, 0x80).body == b"VD00000001"
