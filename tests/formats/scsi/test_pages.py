"""What is built is read back, and what is cut off anywhere is refused or shorter, never something else."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from formats.errors import Damaged
from formats.scsi import inquiry, logs, mam, mode, tape
from formats.scsi.inquiry import DeviceType, Inquiry, Page
from formats.scsi.logs import LogPage, Parameter
from formats.scsi.mode import BlockProtection, Compression, Mode
from formats.scsi.tape import BlockLimits, Density, TapePosition

PAIRS: tuple[tuple[Callable[[Any], bytes], Callable[[bytes], Any], Any], ...] = (
    (inquiry.build, inquiry.parse, Inquiry(DeviceType.TAPE, "TANDBERG", "LTO-6 HH", "H86N")),
    (inquiry.build, inquiry.parse, Inquiry(DeviceType.CHANGER, "BDT", "FlexStor II", "0320", is_removable=False)),
    (inquiry.build_page, inquiry.parse_page, Page(DeviceType.TAPE, inquiry.SERIAL_PAGE, b"HW0000001 ")),
    (tape.build_long, tape.parse_long, TapePosition(1 << 40, 70, 1, is_early_warning=True)),
    (tape.build_long, tape.parse_long, TapePosition(0, 0, is_beginning=True, is_programmable_early_warning=True)),
    (tape.build_long, tape.parse_long, TapePosition(None, None)),
    (tape.build_long, tape.parse_long, TapePosition(5, None)),
    (tape.build_short, tape.parse_short, TapePosition(77, None)),
    (tape.build_short, tape.parse_short, TapePosition(None, None, is_early_warning=True)),
    (tape.build_limits, tape.parse_limits, BlockLimits(0x800000, 1, 2)),
    (tape.build_densities, tape.parse_densities, ()),
    (
        tape.build_densities, tape.parse_densities,
        (Density(0x5A, "U-616", "Ultrium 6/16T"), Density(0x58, "U-516", is_writable=False, is_default=True)),
    ),
    (mode.build, mode.parse, Mode()),
    (
        mode.build, mode.parse,
        Mode(0x68, is_write_protected=True, density=0x5A, block_bytes=65536, pages=(mode.page(0x10, bytes(14)),)),
    ),
    (
        lambda made: mode.build(made, long=True), lambda raw: mode.parse(raw, long=True),
        Mode(0x78, density=0x5C, pages=(mode.page(0x0A, bytes(28), 0xF0), mode.page(0x0F, bytes(14)))),
    ),
    (mode.build_compression, mode.parse_compression, Compression(is_on=True)),
    (mode.build_protection, mode.parse_protection, BlockProtection(mode.CRC32C, on_write=True)),
    (logs.build, logs.parse, LogPage(0x17, (Parameter(1, b"\0\5"), Parameter(0x40, b"SERIAL", 1), Parameter(2, b"")))),
    (logs.build, logs.parse, LogPage(0x0C)),
    (logs.build_supported, logs.parse_supported, (0, 2, 3, 0x12)),
    (
        mam.build, mam.parse,
        (mam.written(mam.BARCODE, "TB0001L6"), mam.Attribute(0, (5).to_bytes(8), is_read_only=True)),
    ),
    (mam.build_list, mam.parse_list, (0x0000, 0x0401, 0x0806)),
)  # fmt: skip


@pytest.mark.parametrize(("build", "parse", "value"), PAIRS)
def test_what_is_built_is_read_back(
    build: Callable[[Any], bytes],
    parse: Callable[[bytes], Any],
    value: Any,  # noqa: ANN401
) -> None:
    raw = build(value)
    assert parse(raw) == value
    assert parse(raw + b"more") == value
    for size in range(len(raw)):
        with contextlib.suppress(Damaged):
            parse(raw[:size])


def test_alerts_in_both_pages() -> None:
    flags = frozenset((1, 3, 20, 64))
    assert logs.alerts(logs.parse(logs.build(logs.alert_page(flags)))) == flags
    assert logs.alert_page(frozenset((1,))).parameters[0].value[0] == 0x80
    parameters = tuple(Parameter(flag, bytes((flag in flags,))) for flag in range(1, 65))
    assert logs.alerts(LogPage(logs.ALERT_PAGE, parameters)) == flags
    assert logs.alerts(LogPage(logs.ALERT_RESPONSE_PAGE)) == frozenset()


def test_mode_parameters_for_setting() -> None:
    made = Mode(is_write_protected=True, density=0, pages=(mode.page(0x0F, bytes(14)),))
    raw = mode.build(made, for_select=True)
    assert raw[0] == 0  # its own length: reserved there
    assert not raw[2] & 0x80
    found = mode.parse(raw)
    assert found.page(0x0F) == bytes(14)
    assert found.page(0x10) is None


def test_text_of_a_chip_fits_and_is_whole() -> None:
    label = mam.written(mam.USER_LABEL, "é" * 100)
    assert len(label.value) == 160
    assert label.shown == "é" * 80
    assert mam.written(mam.BARCODE, "X" * 40).shown == "X" * 32
    assert mam.Attribute(0x1234, b"\1\0").shown == 256
    assert (label.name, mam.Attribute(0x1234, b"").name) == ("user_label", "1234")


def test_what_a_device_calls_itself_is_printable() -> None:
    assert inquiry.text(b"A\x1b[31mB  \0junk") == "A?[31mB"


def test_a_drive_may_not_know_what_is_in_its_buffer() -> None:
    told = tape.build_short(TapePosition(9, None), buffered_objects=2, buffered_bytes=5000)
    assert tape.parse_buffered(told) == 5000
    assert tape.parse_buffered(bytes((told[0] | 0x10,)) + told[1:]) is None  # BYCU
