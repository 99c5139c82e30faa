"""The master boot record: the partition table of older disks, and the guard in front of a newer one.

Source: UEFI 2.10, section 5.2.
"""

import dataclasses

import construct as cs

from formats.layout import Layout

SIZE_BYTES = 512
PROTECTIVE = 0xEE
"""The partition type that says: look at the GUID partition table (UEFI 2.10, section 5.2.3)."""
BOOT_CODE = b"\xcd\x18\xeb\xfe"
"""INT 18h, then a loop: a BIOS goes on to its next boot device. Over the zeros that most tools leave it may hang, and
a server must come up again with a cartridge left in its drive."""

_RECORD_BYTES = 16
_RECORDS_BYTES = 4 * _RECORD_BYTES


@dataclasses.dataclass(frozen=True)
class MbrRecord:
    """One of the four partition records (UEFI 2.10, table 5.2); of an unused one the type is 0.

    The addresses in cylinders, heads and sectors are as stored; nobody has used them for decades.
    """

    boot_indicator: int
    first_chs: bytes
    os_type: int
    last_chs: bytes
    first_sector: int
    sectors: int

    @property
    def is_used(self) -> bool:
        """Whether the record describes a partition."""
        return self.os_type != 0 and self.sectors != 0


@dataclasses.dataclass(frozen=True)
class _Mbr:
    boot_code: bytes
    records: bytes


_MBR = Layout(
    "MBR",
    _Mbr,
    cs.Struct(
        "boot_code" / cs.Bytes(440),
        cs.Padding(6),  # disk signature, which only Windows uses, and two bytes of many meanings
        "records" / cs.Bytes(_RECORDS_BYTES),
        "signature" / cs.Const(b"\x55\xaa"),
    ),
)
_RECORD = Layout(
    "MBR partition record",
    MbrRecord,
    cs.Struct(
        "boot_indicator" / cs.Int8ul,
        "first_chs" / cs.Bytes(3),
        "os_type" / cs.Int8ul,
        "last_chs" / cs.Bytes(3),
        "first_sector" / cs.Int32ul,
        "sectors" / cs.Int32ul,
    ),
)


def build_protective(last_sector: int) -> bytes:
    """512 bytes with one partition over all of a disk, for programs that know no GUID partition table.

    The partition's last cylinder, head and sector are the largest there are: the geometry of a disk is not known.
    """
    record = MbrRecord(
        boot_indicator=0,
        first_chs=b"\x00\x02\x00",
        os_type=PROTECTIVE,
        last_chs=b"\xff\xff\xff",
        first_sector=1,
        sectors=min(last_sector, 0xFFFFFFFF),
    )
    return _MBR.build(_Mbr(BOOT_CODE.ljust(440, b"\0"), _RECORD.build(record).ljust(_RECORDS_BYTES, b"\0")))


def parse(sector: bytes) -> tuple[MbrRecord, ...]:
    """The four partition records, unused ones included. Raises Damaged where the sector has no MBR's signature."""
    records = _MBR.parse(sector).records
    return tuple(
        _RECORD.parse(records[start : start + _RECORD_BYTES]) for start in range(0, _RECORDS_BYTES, _RECORD_BYTES)
    )
