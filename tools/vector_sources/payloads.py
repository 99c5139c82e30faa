"""Payloads: how a block carries its plain bytes (formats/SPEC.md section 3.3; zstd frames by hand from RFC 8878)."""

import struct

from fixtures.vectors import DAMAGED, OK, Vector
from tools.vector_sources.blocks import CATALOG, COMPRESSED, DATA, ENCRYPTED, HEADER, LABEL, PARITY, TRAILER, block

_MAGIC = struct.pack("<I", 0xFD2FB528)
_PLAIN = b"a" * 1000
_RAW, _RLE = 0, 1


def _zstd_block(kind: int, size: int, body: bytes, *, last: bool = True) -> bytes:
    """A block of a frame (RFC 8878, section 3.1.1.2): raw bytes, or one byte `size` times."""
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + body


def _frame(blocks: bytes, *, content_size: int | None = None, window: int | None = None, dictionary: int = 0) -> bytes:
    """A frame with one of: its content size (and no window), or a window descriptor (and no size)."""
    id_field = bytes((dictionary,)) if dictionary else b""
    if window is not None:
        return _MAGIC + bytes((bool(dictionary), window)) + id_field + blocks
    assert content_size is not None  # noqa: S101 - one of the two is given
    return _MAGIC + bytes((0x80 | 0x20 | bool(dictionary),)) + id_field + struct.pack("<I", content_size) + blocks


_A_1000 = _zstd_block(_RLE, 1000, b"a")
_GOOD = _frame(_A_1000, content_size=1000)
_WINDOW_16_MIB, _WINDOW_18_MIB = (24 - 10) << 3, (24 - 10) << 3 | 1
_BOMB_BLOCKS = 256
_BOMB = b"".join(_zstd_block(_RLE, 128 << 10, b"a", last=number == _BOMB_BLOCKS - 1) for number in range(_BOMB_BLOCKS))


def _stored(payload: bytes, plain: int = 1000, kind: int = DATA, flags: int = COMPRESSED) -> bytes:
    return block(payload, kind=kind, flags=flags, plain_size=plain)


def _good(name: str, why: str, data: bytes, plain: bytes = _PLAIN) -> Vector:
    return Vector(f"payload-{name}", "payload", OK, why, data, (("plain", plain.hex()),))


def _bad(name: str, why: str, data: bytes) -> Vector:
    return Vector(f"payload-{name}", "payload", DAMAGED, why, data)


PAYLOADS: tuple[Vector, ...] = (
    _good("plain", "stored as it is", block(_PLAIN)),
    _good("empty", "no plain bytes", block(b"", plain_size=0), b""),
    _good("zstd", "a frame with its content size", _stored(_GOOD)),
    _good("zstd-raw", "a frame of two raw blocks", _stored(
        _frame(_zstd_block(_RAW, 4, b"abcd", last=False) + _zstd_block(_RAW, 2, b"ef"), content_size=6), 6), b"abcdef"),
    _good("zstd-no-size", "a frame without its content size", _stored(_frame(_A_1000, window=0))),
    _good("zstd-window-16-mib", "a window of 16 MiB, the largest", _stored(_frame(_A_1000, window=_WINDOW_16_MIB))),
    _good("zstd-catalog", "a compressed catalog block", _stored(_GOOD, kind=CATALOG)),
    _good("zstd-trailer", "a compressed trailer block", _stored(_GOOD, kind=TRAILER)),
    _bad("plain-size", "stored as it is, and one byte more than its size", block(_PLAIN, plain_size=999)),
    _bad("zstd-more", "a frame that yields more than its plain size", _stored(_frame(_A_1000, window=0), 999)),
    _bad("zstd-less", "a frame that yields less than its plain size", _stored(_frame(_A_1000, window=0), 1001)),
    _bad("zstd-size-lies", "a frame with another content size than it yields",
         _stored(_frame(_A_1000, content_size=999))),
    _bad("zstd-bomb", "a frame of 1 KiB that yields 32 MiB", _stored(_frame(_BOMB, window=0))),
    _bad("zstd-window-18-mib", "a window of 18 MiB", _stored(_frame(_A_1000, window=_WINDOW_18_MIB))),
    _bad("zstd-window-2-gib", "a window of 2 GiB", _stored(_frame(_A_1000, window=21 << 3))),
    _bad("zstd-dictionary", "a frame that needs dictionary 1",
         _stored(_frame(_A_1000, content_size=1000, dictionary=1))),
    _bad("zstd-two", "two frames", _stored(_GOOD + _GOOD, 2000)),
    _bad("zstd-skippable", "a skippable frame before", _stored(struct.pack("<II", 0x184D2A50, 4) + b"skip" + _GOOD)),
    _bad("zstd-garbage-behind", "a frame, and a byte behind it", _stored(_GOOD + b"\0")),
    _bad("zstd-cut", "a frame cut off", _stored(_GOOD[:-1])),
    _bad("zstd-not-last", "a frame without its last block", _stored(
        _frame(_zstd_block(_RLE, 1000, b"a", last=False), content_size=1000))),
    _bad("zstd-no-frame", "the flag, and no frame", _stored(_PLAIN)),
    _bad("zstd-nothing", "the flag, and nothing", _stored(b"", 0)),
    _bad("label-compressed", "a compressed label", _stored(_GOOD, kind=LABEL)),
    _bad("header-compressed", "a compressed header block", _stored(_GOOD, kind=HEADER)),
    _bad("parity-compressed", "a compressed parity block", _stored(_GOOD, kind=PARITY)),
    _bad("label-encrypted", "an encrypted label", _stored(bytes(1016), kind=LABEL, flags=ENCRYPTED)),
    _bad("header-encrypted", "an encrypted header block", _stored(bytes(1016), kind=HEADER, flags=ENCRYPTED)),
    _bad("parity-encrypted", "an encrypted parity block", _stored(bytes(1016), kind=PARITY, flags=ENCRYPTED)),
    _bad("trailer-encrypted", "an encrypted trailer block", _stored(bytes(1016), kind=TRAILER, flags=ENCRYPTED)),
)  # fmt: skip
