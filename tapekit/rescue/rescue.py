#!/usr/bin/env python3
"""Gets the files back from a tapekit cartridge. Needs Python 3.8 or later, on Linux, and nothing else.

    python3 rescue.py DEVICE                                what is on the cartridge
    python3 rescue.py files DEVICE                          the names in an archive
    python3 rescue.py restore DEVICE --to DIR [PATTERN...]  put the files into DIR
    python3 rescue.py check DEVICE                          read everything, compare every digest
    python3 rescue.py tar DEVICE > archive.tar              the archive as a plain tar

An archive on several cartridges: name further devices with --also DEVICE, in any order; at a terminal, with one drive,
the program asks for one cartridge after the other.

DEVICE is an image file, a disk (/dev/sdX), its second partition, or a tape drive (/dev/nst0). It is only ever read.
Compressed archives need a zstd decoder, encrypted ones the Python package `cryptography` and the passphrase or
private key; the program says so when it meets one.

Blocks that are damaged and can be made again from the archive's parity are corrected on the way, and named.

Exit status: 0 all is well, or was corrected; 2 the command line is wrong; 4 it could not be done; 6 done, but
something was damaged or is missing (the messages say what); 7 a key is wrong or missing.

How a cartridge is built ("section" below means a section of the format's specification): it is a row of numbered
files, each a run of blocks. File 0 is the label, file 1 this kit, every file from 2 on a segment of an archive. A
block is a 128-byte header and a payload. The payloads of an archive's data blocks, opened and joined, are a pax tar;
its catalog blocks say where in that tar each member begins, and what its SHA-256 is. On a disk the blocks stand in a
record log, on a tape they are the tape's own blocks. This file reads from the bottom of that to the top:

    blocks, zstd, documents, keys - record log, tape - label, segments, archives - catalog, stream, tar - files
"""

from __future__ import annotations

import argparse
import array
import base64
import binascii
import bisect
import contextlib
import errno
import fcntl
import fnmatch
import getpass
import grp
import hashlib
import hmac
import importlib
import json
import os
import pwd
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata
import uuid
import zlib
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

MIB = 1 << 20
LARGEST_BLOCK = 16_773_120
LARGEST_PLAIN = 16 * MIB
LARGEST_DOCUMENT = 4 * MIB
MOST_DOCUMENT_BLOCKS = 2048
MOST_PARTS = 1 << 17  # bytes [ { , of a document
MOST_LEVELS = 64  # of lists and objects in it
LARGEST_TEXT = 4096  # characters of what is only shown
SPOOL = "SPOOL"  # no cartridge: a part was written into an image on the server's disk, and copied to one later
MOST_MEMBERS = 1 << 15  # of a catalog table
LARGEST_PAX_HEADER = MIB
MOST_EXTENTS = 1 << 17  # of a sparse file
MOST_FILES = 1 << 16  # of a record log
MOST_BLOCKS = 6 << 20  # of a file of it
MOST_REMEMBERED = 10_000  # messages that are not said again

# === Words to the person =========================================================================================


class Problem(Exception):
    """What was asked cannot be done; the text says why."""

    exit_code = 4


NOTHING_FOUND = "this is not a tapekit cartridge, or nothing of it is left"


class NoKey(Problem):
    """A key is wrong or missing."""

    exit_code = 7


class Damaged(Exception):
    """These bytes are not what they should be. The reader goes on with the next."""


class NewerFormat(Damaged):
    """Written by a later version of the format."""

    def __init__(self) -> None:
        super().__init__("written in a newer format than this program knows")


class Refused(Exception):
    """A member is not put back, because that could harm what is there already."""


def show(name: Union[bytes, str]) -> str:
    """A name as text that is safe on a terminal: what cannot be printed appears as an escape."""
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name

    def escaped(character: str) -> str:
        if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
            return "\\x%02x" % (ord(character) - 0xDC00)
        return character.encode("unicode_escape").decode("ascii")

    def escaped_all(piece: str) -> str:
        return "".join(c if c.isprintable() and c != "\\" else escaped(c) for c in piece)

    return "".join(escaped_all(text[at : at + 4096]) for at in range(0, len(text), 4096))


def human(size_bytes: int) -> str:
    """12345678 -> 12.3 MB."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class Report:
    """Messages on standard error, and whether anything was damaged or is missing."""

    def __init__(self) -> None:
        self.damages = 0
        self.key_missing = False
        self._said: Set[bytes] = set()  # digests: a name can be long
        self._progress_at = time.monotonic()

    def note(self, text: str) -> None:
        """Something worth knowing; said once."""
        if self._is_new(text):
            print(text, file=sys.stderr)

    def damage(self, text: str) -> None:
        """Something is damaged or missing; said and counted once."""
        if self._is_new(text):
            self.damages += 1
            print(text, file=sys.stderr)

    def _is_new(self, text: str) -> bool:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        if digest in self._said:
            return False
        if len(self._said) < MOST_REMEMBERED:
            self._said.add(digest)
        return True

    def progress(self, text: str) -> None:
        """A sign of life on a terminal, every ten seconds."""
        if time.monotonic() - self._progress_at > 10 and sys.stderr.isatty():
            self._progress_at = time.monotonic()
            print(text, file=sys.stderr)

    def exit_code(self) -> int:
        return 6 if self.damages else 7 if self.key_missing else 0


# === Blocks (section 3) ==========================================================================================

BLOCK_HEADER = struct.Struct(">8sBBHI16sIIQQII32s28sI")  # 128 bytes
NO_GROUP = 0xFFFFFFFF
LABEL, HEADER, DATA, PARITY, CATALOG, TRAILER = range(1, 7)
COMPRESSED, ENCRYPTED, LAST = 1, 2, 4
FLAGS_ALLOWED = {
    LABEL: LAST,
    HEADER: LAST,
    DATA: COMPRESSED | ENCRYPTED | LAST,
    PARITY: LAST,
    CATALOG: COMPRESSED | ENCRYPTED | LAST,
    TRAILER: COMPRESSED | LAST,
}


class Block(NamedTuple):
    kind: int
    flags: int
    archive: bytes
    segment: int
    sequence: int
    offset: int
    plain_size: int
    group: int  # the parity group that protects it, and its place in that (section 10)
    place: int
    head: bytes  # bytes 0-63 of the header: what the cipher authenticates
    digest: bytes
    payload: memoryview


def parse_block(raw: Optional[bytes]) -> Block:
    """Check a block in the order of section 3.2; None stands for one that the medium cannot read."""
    if raw is None:
        raise Damaged("cannot be read")
    if len(raw) < 128:
        raise Damaged(f"only {len(raw)} bytes")
    (magic, kind, flags, header_size, payload_size, archive, segment, group, sequence, offset, plain_size,
     place, digest, reserved, crc) = BLOCK_HEADER.unpack_from(raw)  # fmt: skip
    if magic != b"TKBLOCK1":
        raise NewerFormat if magic[:7] == b"TKBLOCK" else Damaged("no block begins here")
    if crc != zlib.crc32(raw[:124]):
        raise Damaged("its header is damaged")
    if header_size != 128 or kind not in FLAGS_ALLOWED or flags & ~FLAGS_ALLOWED[kind] or any(reserved):
        raise Damaged("its header holds values that have no meaning")
    if group == NO_GROUP and place:
        raise Damaged("its header holds values that have no meaning")
    if payload_size != len(raw) - 128:
        raise Damaged(f"{len(raw) - 128} bytes of content where its header says {payload_size}")
    if plain_size > LARGEST_PLAIN:
        raise Damaged("its header asks for more than 16 MiB")
    payload, computed = memoryview(raw)[128:], hashlib.sha256(raw[:64])
    computed.update(payload)
    if computed.digest() != digest:
        raise Damaged("its SHA-256 is wrong")
    return Block(kind, flags, archive, segment, sequence, offset, plain_size, group, place, raw[:64], digest, payload)


# === Compression: one zstd frame (RFC 8878), by whichever decoder this computer has ==============================

WINDOW_LOG = 24  # 16 MiB
Bytes = Union[bytes, bytearray, memoryview]
Decoder = Callable[[Bytes, int], Bytes]
"""Frame, limit -> plain bytes, at most `limit`. Raises Damaged where it is not one whole frame within the limit."""


def zstd_by_module(name: str) -> Decoder:
    """With Python 3.14's compression.zstd, or the package backports.zstd."""
    zstd = importlib.import_module(name)

    def decode(frame: Bytes, limit: int) -> Bytes:
        decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})
        plain, at = bytearray(), 0
        try:
            while at < len(frame) and len(plain) < limit and not decoder.eof:
                plain += decoder.decompress(memoryview(frame)[at : at + MIB // 4], max_length=limit - len(plain))
                at += MIB // 4
        except zstd.ZstdError as error:
            raise Damaged(f"cannot be decompressed: {error}") from None
        if len(plain) < limit and (not decoder.eof or decoder.unused_data or at < len(frame)):
            raise Damaged("cannot be decompressed: not one whole frame")
        return plain

    return decode


def zstd_by_zstandard(name: str) -> Decoder:
    """With the package zstandard."""
    zstandard = importlib.import_module(name)

    def decode(frame: Bytes, limit: int) -> Bytes:
        plain = bytearray()
        try:
            with zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG).stream_reader(frame) as reader:
                while len(plain) < limit:
                    piece = reader.read(min(limit - len(plain), MIB))
                    if not piece:
                        break
                    plain += piece
        except zstandard.ZstdError as error:
            raise Damaged(f"cannot be decompressed: {error}") from None
        return plain

    return decode


def zstd_by_library(name: str) -> Decoder:
    """With the library libzstd, which a computer may have without the program: Debian's dpkg needs it."""
    import ctypes

    library, size_t, address = ctypes.CDLL(name), ctypes.c_size_t, ctypes.c_void_p
    decompress, frame_size = library.ZSTD_decompress, library.ZSTD_findFrameCompressedSize
    is_error, error_name = library.ZSTD_isError, library.ZSTD_getErrorName
    decompress.argtypes, decompress.restype = (address, size_t, ctypes.c_char_p, size_t), size_t
    frame_size.argtypes, frame_size.restype = (ctypes.c_char_p, size_t), size_t
    is_error.argtypes, is_error.restype = (size_t,), ctypes.c_uint
    error_name.argtypes, error_name.restype = (size_t,), ctypes.c_char_p

    def sound(result: int) -> int:
        if is_error(result):
            raise Damaged(f"cannot be decompressed: {error_name(result).decode('ascii', 'replace')}")
        return result

    def decode(frame: Bytes, limit: int) -> Bytes:
        stored = bytes(frame)
        # The library knows frames of before RFC 8878 too, and decoding all at once it asks nothing about the window.
        if stored[:4] != b"\x28\xb5\x2f\xfd" or zstd_window(stored) > 1 << WINDOW_LOG:
            raise Damaged("cannot be decompressed: not a frame, or one with a window of more than 16 MiB")
        if sound(frame_size(stored, len(stored))) != len(stored):
            raise Damaged("cannot be decompressed: not one whole frame")
        plain = bytearray(limit)
        place = (ctypes.c_char * limit).from_buffer(plain)
        return memoryview(plain)[: sound(decompress(ctypes.addressof(place), limit, stored, len(stored)))]

    return decode


def zstd_window(frame: bytes) -> int:
    """The window that a frame asks for; 0 where that is its content (RFC 8878, section 3.1.1.1.2)."""
    if len(frame) < 6 or frame[4] & 0x20:
        return 0
    base = 1 << (10 + (frame[5] >> 3))
    return base + base // 8 * (frame[5] & 7)


def zstd_by_program(name: str) -> Decoder:
    """With the program zstd."""
    program = shutil.which(name)
    if program is None:
        raise FileNotFoundError(name)
    command = [program, "-d", "-c", "-q", f"--memory={1 << WINDOW_LOG >> 20}MB"]

    def decode(frame: Bytes, limit: int) -> Bytes:
        with tempfile.TemporaryFile() as stored:  # a file, so that neither side ever waits for the other
            stored.write(frame)
            stored.seek(0)
            with subprocess.Popen(command, stdin=stored, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                plain = process.stdout.read(limit) if process.stdout else b""
                if len(plain) == limit:
                    process.kill()
        if len(plain) < limit and process.returncode != 0:
            raise Damaged("cannot be decompressed")
        return plain

    return decode


ZSTD_WAYS: Tuple[Tuple[Callable[[str], Decoder], str], ...] = (
    (zstd_by_module, "compression.zstd"),
    (zstd_by_module, "backports.zstd"),
    (zstd_by_zstandard, "zstandard"),
    (zstd_by_library, "libzstd.so.1"),
    (zstd_by_library, "libzstd.dylib"),
    (zstd_by_library, "libzstd.dll"),
    (zstd_by_library, "zstd.dll"),
    (zstd_by_program, "zstd"),  # last: a process for each block is slow
)
"""In order of preference. The first that this computer has is taken."""


def find_zstd() -> Decoder:
    for way, name in ZSTD_WAYS:
        with contextlib.suppress(ImportError, OSError, AttributeError):  # not there, or too old to have what it takes
            return way(name)
    raise Problem(
        "this archive is compressed with zstd, and this computer has no decoder for it\n"
        "  install one of these: the library libzstd (Debian, Ubuntu: apt install libzstd1), the program `zstd`\n"
        "  (apt install zstd), the Python package `backports.zstd` or `zstandard` (pip install zstandard),\n"
        "  or Python 3.14 or later"
    )


zstd_decoder: List[Decoder] = []  # found when the first compressed block is met


def unzstd(frame: Bytes, size: int) -> Bytes:
    """Decompress one frame that must yield exactly `size` bytes; never holds more than one byte beyond."""
    if not zstd_decoder:
        zstd_decoder.append(find_zstd())
    plain = zstd_decoder[0](frame, size + 1)
    if len(plain) != size:
        raise Damaged(f"does not decompress to the {size} bytes that its header says")
    return plain


# === Documents: JSON objects (section 3.4) =======================================================================

Document = Dict[str, Any]


def parse_document(raw: Bytes) -> Document:
    raw = bytes(raw)
    if len(raw) > LARGEST_DOCUMENT or sum(map(raw.count, (b"[", b"{", b","))) > MOST_PARTS:
        raise Damaged("its document is larger than any may be")

    def no_duplicates(pairs: List[Tuple[str, Any]]) -> Document:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Damaged("a key stands twice in its document")
        return dict(pairs)

    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=no_duplicates)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"its document cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise Damaged("its document is not an object")
    level: List[Any] = [document]
    for _ in range(MOST_LEVELS):
        below = (y for x in level for y in (x.values() if isinstance(x, dict) else x))
        level = [y for y in below if isinstance(y, (dict, list))]
    if level:
        raise Damaged("its document is nested too deep")
    return document


def text_of(document: Document, key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) and value is not None:
        raise Damaged(f"in its document, {key} is not text")
    return value or ""


def int_of(document: Document, key: str, least: int, most: int) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Damaged(f"in its document, {key} is not a number from {least} to {most}")
    return value


def bytes_of(document: Document, key: str) -> bytes:
    try:
        return base64.b64decode(text_of(document, key).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeError):
        raise Damaged(f"in its document, {key} is not base64") from None


# === Keys (section 9) ============================================================================================


class Keys(NamedTuple):
    data: Optional[bytes]
    catalog: bytes


def need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise Problem(
            "this archive is encrypted, and opening it needs the Python package `cryptography`\n"
            "  install it (Debian, Ubuntu: apt install python3-cryptography; elsewhere: pip install cryptography)"
        ) from None


def aes_gcm_open(key: bytes, nonce: bytes, sealed: Bytes, associated: bytes) -> Optional[bytes]:
    """The plain bytes, or None where the key does not fit or the bytes were changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):
        return None


def open_passphrase_slot(slot: Document, context: bytes, passphrase: bytes) -> Optional[bytes]:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    n, r, p = 1 << int_of(slot, "log2_n", 15, 20), int_of(slot, "r", 8, 8), int_of(slot, "p", 1, 1)
    key = Scrypt(salt=bytes_of(slot, "salt"), length=32, n=n, r=r, p=p).derive(passphrase)
    return aes_gcm_open(key, bytes(12), bytes_of(slot, "wrapped"), context)


def open_key_slot(slot: Document, context: bytes, seed: bytes) -> Optional[bytes]:
    """HPKE (RFC 9180) with ML-KEM-768 and X25519; the seed of a private key yields both (sections 9.2 and 18)."""
    try:
        from cryptography.hazmat.primitives import hpke
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    except (ImportError, AttributeError):
        raise Problem(
            "opening this archive with a private key needs a newer Python package `cryptography` (48 or later)\n"
            "  install it beside the system's: python3 -m venv /tmp/kit && /tmp/kit/bin/pip install cryptography,\n"
            "  then run this program with /tmp/kit/bin/python"
        ) from None
    seeds = hashlib.shake_256(seed).digest(96)
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(seeds[:64]), X25519PrivateKey.from_private_bytes(seeds[64:])
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    if bytes_of(slot, "key") != hashlib.sha256(public).digest()[:16]:
        return None
    sealed = bytes_of(slot, "enc") + bytes_of(slot, "wrapped")
    try:
        return bytes(suite.decrypt(sealed, hpke.MLKEM768X25519PrivateKey(mlkem, x25519), context))
    except Exception:  # noqa: BLE001 - whatever it says, it does not open
        return None


SLOT_OPENERS: Dict[str, Callable[[Document, bytes, bytes], Optional[bytes]]] = {
    "passphrase": open_passphrase_slot,
    "hpke": open_key_slot,
}


def seed_of_key_file(document: Document, passphrase: Callable[[], bytes]) -> bytes:
    """The seed of a private key (section 18.1)."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    def without(*names: str) -> bytes:
        rest = {k: v for k, v in document.items() if k not in names}
        return json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")

    if text_of(document, "sha256") != hashlib.sha256(without("sha256")).hexdigest():
        raise Damaged("its checksum does not match")
    n, r, p = 1 << int_of(document, "log2_n", 15, 20), int_of(document, "r", 8, 8), int_of(document, "p", 1, 1)
    key = Scrypt(salt=bytes_of(document, "salt"), length=32, n=n, r=r, p=p).derive(passphrase())
    associated = b"tapekit key file 1\0" + without("wrapped", "sha256")
    seed = aes_gcm_open(key, bytes(12), bytes_of(document, "wrapped"), associated)
    if seed is None:
        raise NoKey("the passphrase of the key file is wrong")
    return seed


PAPER_WORDS, WORDS_PER_LINE = 21, 3
PAPER_LETTERS = ("bdfghjklmnprstvz", "aiou")  # in turn


def words_in(text: str) -> List[str]:
    """The words of a paper key, or of the text of its QR code."""
    words = text.lower().split()
    return words[1:] if words and words[0].startswith("tapekit-paper") else words


def number_of_word(word: str, number: int) -> int:
    """What a word stands for; `number` is its own on the paper, from 1."""
    value = 0
    for place, letter in enumerate(word):
        letters = PAPER_LETTERS[place % 2]
        if letter not in letters or len(word) != 5:
            raise NoKey(f"word {number} ({show(word)}) is no word of a paper key")
        value = value * len(letters) + letters.index(letter)
    return value


def times_x(value: int, times: int) -> int:
    """In the field GF(65536) of section 18.2."""
    for _ in range(times):
        value <<= 1
        value ^= 0x1100B * (value >> 16)
    return value


def seed_of_words(words: List[str]) -> bytes:
    """The seed of a private key from the words on paper (section 18.2). One wrong word is named."""
    numbers = [number_of_word(word, number) for number, word in enumerate(words, 1)]
    if len(numbers) != PAPER_WORDS:
        raise NoKey(f"a paper key has {PAPER_WORDS} words, here are {len(numbers)}")
    values = [0] * 4  # of the words as a polynomial, at x, x2, x3, x4: it vanishes there
    for root in range(4):
        for number in numbers:
            values[root] = times_x(values[root], root + 1) ^ number
    if not any(values):
        return b"".join(struct.pack(">H", number) for number in numbers[1:17])
    for place in range(PAPER_WORDS):  # one error e at x^n: the values are e x^n, e x^2n, e x^3n, e x^4n
        if all(times_x(values[i], PAPER_WORDS - 1 - place) == values[i + 1] for i in range(3)):
            line, column = divmod(place, WORDS_PER_LINE)
            raise NoKey(
                f"word {column + 1} of line {line + 1} of the paper key ({show(words[place])}) is wrong:\n"
                "  compare it with the paper, letter by letter"
            )
    raise NoKey("more than one of the words of the paper key are wrong: compare them with the paper")


def typed_words() -> List[str]:
    """The words, typed line by line as they stand on the paper; a line that cannot be right is asked for again."""
    words: List[str] = []
    while len(words) < PAPER_WORDS:
        print(f"line {len(words) // WORDS_PER_LINE + 1}: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise NoKey("the words of the paper key are not complete")
        new = words_in(line)
        try:
            if len(new) != WORDS_PER_LINE and (words or len(new) != PAPER_WORDS):
                raise NoKey(f"a line has {WORDS_PER_LINE} words, here are {len(new)}")
            for number, word in enumerate(new, 1):
                number_of_word(word, number)
        except NoKey as error:
            print(f"  {error}: this line again", file=sys.stderr)
            continue
        words += new
    return words


class Opener:
    """Opens key slots: with a private key, or with a passphrase; what it needs is read from files or asked for once.

    `keys_fd` is for a program that has the archive's own keys, and hands them over through a pipe: no slot is opened.
    """

    def __init__(self, passphrase_file: Optional[str], key: Optional[str], keys_fd: Optional[int]) -> None:
        self._file = passphrase_file
        self._key = key
        self._keys_fd = keys_fd
        self._given: Dict[int, Keys] = {}
        self._passphrase = b""
        self._seed = b""

    def unlock(self, header: Document, archive: bytes, segment: int) -> Keys:
        if header.get("cipher") != "AES-256-GCM":
            raise Problem("this archive is encrypted with a cipher that this program does not know")
        if self._keys_fd is None:
            keys = self._open_slots(header, archive, segment)
        else:
            need_cryptography()
            self._given = self._given or keys_from(self._keys_fd)
            if segment not in self._given:
                raise NoKey(f"the keys of part {segment + 1} of the archive were not handed over")
            keys = self._given[segment]
        if not is_committed(header, archive, segment, keys):
            raise NoKey("the archive's header was changed after it was written: it does not vouch for its keys")
        return keys

    def _open_slots(self, header: Document, archive: bytes, segment: int) -> Keys:
        kind, what = ("hpke", "private key") if self._key else ("passphrase", "passphrase")
        slots = [s for s in header.get("slots") or [] if isinstance(s, dict)]
        known = [s for s in slots if text_of(s, "kind") in SLOT_OPENERS]
        names = ", ".join(sorted({show(text_of(s, "name")) for s in known}))
        slots = [s for s in known if s["kind"] == kind]
        if not slots and not known:
            raise NoKey("this archive opens in a way that this program does not know: a newer tapekit has it")
        if not slots and self._key:
            raise NoKey("this archive opens with a passphrase only: leave --key out")
        if not slots:
            raise NoKey(
                f"this archive opens with a private key only (of {names}): --key FILE, a key file or the words of a\n"
                "  paper key in a file, or --key paper to type them"
            )
        need_cryptography()
        keys = None
        secret = self._get_seed() if self._key else self._get_passphrase("passphrase")
        for slot in slots[:32]:
            role = text_of(slot, "role")
            context = b"tapekit slot 1\0" + archive + struct.pack(">I", segment) + role.encode("utf-8", "replace")
            opened = SLOT_OPENERS[kind](slot, context, secret)
            if opened is not None and role in ("owner", "recovery") and len(opened) == 64:
                return Keys(opened[:32], opened[32:])
            if opened is not None and role == "technician" and len(opened) == 32:
                keys = Keys(None, opened)
        if keys is None:
            raise NoKey(f"the {what} is wrong: it opens none of the {len(slots)} {what} slots (of {names})")
        return keys

    def _get_seed(self) -> bytes:
        if not self._seed:
            key = self._key or ""
            if key == "paper":
                self._need_terminal("--key FILE")
                print("the words of the paper key, line by line:", file=sys.stderr)
                self._seed = seed_of_words(typed_words())
                return self._seed
            try:
                with open(key, "rb") as source:
                    raw = source.read(65536)
            except OSError as error:
                raise NoKey(f"the key file cannot be read: {error}") from None
            if raw.lstrip()[:1] != b"{":
                self._seed = seed_of_words(words_in(raw.decode("utf-8", "replace")))
            else:
                try:
                    document = parse_document(raw)
                    self._seed = seed_of_key_file(document, lambda: self._get_passphrase("passphrase of the key file"))
                except Damaged as error:
                    raise NoKey(f"the key file is damaged: {error}") from None
        return self._seed

    def _get_passphrase(self, what: str) -> bytes:
        if not self._passphrase:
            if self._file:
                try:
                    with open(self._file, encoding="utf-8") as source:
                        text = source.readline(65536).rstrip("\r\n")
                except (OSError, ValueError) as error:
                    raise NoKey(f"the passphrase cannot be read: {error}") from None
            else:
                self._need_terminal("its passphrase with --passphrase-file FILE")
                text = getpass.getpass(what + ": ")
            self._passphrase = unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")
        return self._passphrase

    @staticmethod
    def _need_terminal(otherwise: str) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise NoKey(f"this archive is encrypted: give {otherwise}")


KEYS_RECORD = struct.Struct(">I32s32s")  # segment, data key, catalog key


def keys_from(fd: int) -> Dict[int, Keys]:
    """The keys of an archive's segments, from a pipe."""
    try:
        with open(fd, "rb") as source:
            raw = source.read(MIB)
    except (OSError, ValueError) as error:
        raise NoKey(f"the keys cannot be read: {error}") from None
    if not raw or len(raw) % KEYS_RECORD.size:
        raise NoKey(f"the keys are {len(raw)} bytes, expected {KEYS_RECORD.size} for each segment")
    return {segment: Keys(data, catalog) for segment, data, catalog in KEYS_RECORD.iter_unpack(raw)}


def is_committed(header: Document, archive: bytes, segment: int, keys: Keys) -> bool:
    """Whether the header proves that these keys, and no others, belong to it (section 9.3)."""
    commitment = header.get("commitment")
    if not isinstance(commitment, dict):
        return False
    name, key = ("data", keys.data) if keys.data is not None else ("catalog", keys.catalog)
    extracted = hmac.new(archive + struct.pack(">I", segment), key, hashlib.sha256).digest()  # HKDF, RFC 5869
    mac_key = hmac.new(extracted, b"tapekit header 1\x01", hashlib.sha256).digest()
    rest = {k: v for k, v in header.items() if k != "commitment"}
    for ascii_only in (False, True):  # two spellings of the same document: characters beyond ASCII as such, or escaped
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
        mac = hmac.new(mac_key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        if hmac.compare_digest(mac, bytes_of(commitment, name)):
            return True
    return False


# === The medium: files of blocks. Disks and images (RecordLog) and tapes (Tape) do the same five things. =========


class Found(NamedTuple):
    """A block as it stands on the medium; data is None where it cannot be read."""

    number: Optional[int]  # in its file; None where the medium lost count
    data: Optional[bytes]
    run: int = 1  # how many blocks, where they cannot be read


class Medium:
    def next_file(self, number: int) -> Optional[int]:
        """The number of the first file from `number` on that exists."""
        raise NotImplementedError

    def seek(self, file: int, block: int) -> bool:
        """Go to a block of a file; False where that cannot be."""
        raise NotImplementedError

    def read(self) -> Optional[Found]:
        """The next block of the file; None at its end."""
        raise NotImplementedError

    def read_tail(self, file: int, back: int) -> Optional[Found]:
        """The last block of a file (back = 1), the one before (2) and so on; reading goes on behind it."""
        raise NotImplementedError

    def is_closed(self, file: int) -> bool:
        """Whether a filemark ends the file."""
        raise NotImplementedError

    def close(self) -> None:
        """Let the device go."""


# --- Disks and image files: the record log (sections 13 and 14) --------------------------------------------------

UNIT = 4096
FIRST_RECORD = 2 * UNIT
LOOK_AHEAD = 4 << 30
"""Where no superblock says how far the log goes, this much without a record is taken for its end."""
LOG_PARTITION_TYPE = uuid.UUID("7B1D6F0E-52C9-4A86-9C3B-1F0A6E2D4B75").bytes_le
SUPERBLOCK = struct.Struct(">8sII16sQQQQIIQ")
RECORD_HEADER = struct.Struct(">4sB3sQQIIII16sII")
BLOCK_RECORD, FILEMARK_RECORD = 1, 2


class Disk:
    """Reads anywhere on an image file or block device."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.lseek(fd, 0, os.SEEK_END)

    def read(self, position: int, size: int) -> Optional[bytes]:
        """Up to `size` bytes, fewer at the end; None where the medium cannot be read."""
        pieces: List[bytes] = []
        while size > 0 and position < self.size:
            try:
                pieces.append(os.pread(self.fd, min(size, 16 * MIB), position))
            except OSError as error:
                if error.errno in (errno.EIO, errno.ENODATA, errno.EREMOTEIO, errno.EILSEQ):
                    return None
                raise Problem(f"the device cannot be read: {error.strerror}") from None
            if not pieces[-1]:
                break
            position += len(pieces[-1])
            size -= len(pieces[-1])
        return b"".join(pieces)


class Superblock(NamedTuple):
    epoch: int
    log_id: bytes
    generation: int
    end: int
    records: int
    files: int
    last_filemark: int


def parse_superblock(raw: Optional[bytes]) -> Optional[Superblock]:
    if not raw or len(raw) < UNIT or zlib.crc32(raw[:4092]) != struct.unpack_from(">I", raw, 4092)[0]:
        return None
    magic, unit, epoch, log_id, generation, _size, end, records, files, _, mark = SUPERBLOCK.unpack_from(raw)
    if magic != b"TKLOGSB1" or unit != UNIT or end < FIRST_RECORD or end % UNIT:
        return None
    return Superblock(epoch, log_id, generation, end, records, files, mark)


class Record(NamedTuple):
    kind: int
    number: int
    position: int
    epoch: int
    file: int
    block: int
    length: int
    log_id: bytes

    @property
    def next_position(self) -> int:
        return self.position + -(-(64 + self.length) // UNIT) * UNIT


def parse_record(raw: Optional[bytes], position: int) -> Optional[Record]:
    if not raw or len(raw) < 64 or raw[:4] != b"TKR1":
        return None
    _, kind, zero_1, number, own, epoch, file, block, length, log_id, zero_2, crc = RECORD_HEADER.unpack_from(raw)
    if crc != zlib.crc32(raw[:60]) or kind not in (BLOCK_RECORD, FILEMARK_RECORD) or own != position:
        return None
    if any(zero_1) or zero_2:
        return None
    return Record(kind, number, position, epoch, file, block, length, log_id)


def within_limits(record: Record) -> bool:
    """Checked before anything is read or kept because of what a record's header claims."""
    if record.kind == FILEMARK_RECORD:
        return record.file < MOST_FILES and record.block <= MOST_BLOCKS and record.length == 24 + 4 * record.block
    return record.file < MOST_FILES and record.block < MOST_BLOCKS and 0 < record.length <= LARGEST_BLOCK


def follows(last: Optional[Record], record: Record) -> bool:
    """Whether a record can stand somewhere behind another, as far as their numbers tell (section 13.3)."""
    if last is None:  # each record takes a unit at least, so its place bounds its number
        return record.block + record.file <= record.number <= (record.position - FIRST_RECORD) // UNIT
    gap = record.number - last.number
    if not 1 <= gap <= (record.position - last.position) // UNIT or record.epoch < last.epoch:
        return False
    if record.file == last.file:
        return last.kind == BLOCK_RECORD and record.block == last.block + gap
    filemarks_between = record.file - last.file - (last.kind == FILEMARK_RECORD)
    return 0 <= filemarks_between < gap - record.block


LIST_PIECE = 1 << 14  # places of a filemark's list that are held at a time


def distances_of(piece: bytes) -> array.array[int]:
    distances = array.array("I", piece)
    if sys.byteorder == "little":
        distances.byteswap()
    return distances


class LogFile:
    """One file of the log: its filemark, and of its blocks as many as were found one by one.

    A list of all its blocks may stand in the filemark: it is long, and stays on the medium.
    """

    def __init__(self, filemark: Optional[Record] = None, start: Optional[int] = None) -> None:
        self.filemark = filemark
        self.start = start  # where the list counts from; None: it was not taken from there
        self.count = filemark.block if filemark else 0  # of blocks, those that are lost included
        self.numbers, self.positions = array.array("I"), array.array("Q")

    def add(self, record: Record) -> None:
        if record.kind == FILEMARK_RECORD:
            self.filemark, self.count = record, record.block
        else:
            self.count = record.block + 1
            self.numbers.append(record.block)
            self.positions.append(record.position)


class RecordLog(Medium):
    def __init__(self, disk: Disk, base: int, report: Report) -> None:
        self._disk, self._base, self._report = disk, base, report
        self._size = disk.size - base
        self._log_id: Optional[bytes] = None
        self._files: Dict[int, LogFile] = {}
        self._file, self._block = -1, 0
        self._listed_file, self._listed_from, self._listed = -1, 0, array.array("I")  # a piece of a filemark's list
        self._find_files()

    # Finding the files: from the last filemark back to the first; where that chain is broken, record by record.

    def _find_files(self) -> None:
        raw = [self._disk.read(self._base + place, UNIT) for place in (0, UNIT)]
        superblocks = [parse_superblock(r) for r in raw]
        valid = [s for s in superblocks if s]
        if not valid:
            self._report.damage("both superblocks of the cartridge are damaged: looking for the records themselves")
            self._walk_files(FIRST_RECORD, self._size, None, strict=False)
            return
        one_damaged = any(s is None and (r is None or r.strip(b"\0")) for s, r in zip(superblocks, raw))
        if one_damaged:
            self._report.damage("one of the two superblocks of the cartridge is damaged")
        newest = max(valid, key=lambda s: s.generation)
        self._log_id = newest.log_id
        if newest.end > self._size:
            self._report.damage(f"the cartridge is cut off: {human(newest.end - self._size)} of its records are gone")
        last = None
        if newest.records > 0:
            if not self._chain(newest.last_filemark):
                if newest.end <= self._size:
                    self._report.damage("a filemark on the cartridge is damaged: looking for the records themselves")
                self._files.clear()
                self._walk_files(FIRST_RECORD, min(newest.end, self._size), None, strict=False)
            last = self._record(newest.last_filemark) or Record(
                FILEMARK_RECORD, newest.records - 1, newest.end - UNIT, newest.epoch, newest.files - 1, 0, 0, b""
            )
        # After the last known filemark: a file that a power cut left open, or that only the damaged superblock knew.
        self._walk_files(newest.end, self._size, last, strict=not one_damaged)

    def _chain(self, position: int) -> bool:
        """Learn the files from their filemarks; False where the chain is broken."""
        while position:
            mark = self._record(position)
            listed = self._list(mark) if mark and mark.kind == FILEMARK_RECORD else None
            if mark is None or listed is None or listed[0] > position or (listed[1] and listed[1] >= listed[0]):
                return False
            self._files[mark.file] = LogFile(mark, listed[0])
            if listed[1] == 0 and listed[0] != FIRST_RECORD:
                return False
            position = listed[1]
        return bool(self._files)

    def _list(self, mark: Record) -> Optional[Tuple[int, int]]:
        """What a filemark's payload says, where it is sound: where its file begins, and the filemark before."""
        place, crc, farthest = self._base + mark.position + 64, 0, 0
        head = self._disk.read(place, 20) or b""
        if len(head) < 20:
            return None
        start, previous, n = struct.unpack(">QQI", head)
        crc = zlib.crc32(head)
        for first in range(0, mark.block, LIST_PIECE):
            piece = self._disk.read(place + 20 + 4 * first, 4 * min(LIST_PIECE, mark.block - first))
            if not piece or len(piece) % 4:
                return None
            crc, farthest = zlib.crc32(piece, crc), max(farthest, max(distances_of(piece), default=0))
        stored = self._disk.read(place + mark.length - 4, 4)
        if n != mark.block or stored != struct.pack(">I", crc) or start + UNIT * farthest > mark.position:
            return None
        return start, previous

    def _walk_files(self, at: int, stop: int, last: Optional[Record], *, strict: bool) -> None:
        """Learn the files from the records themselves. Strict: only as long as each continues the log."""
        while at < stop:
            self._report.progress(f"looking for records: {human(at)} of {human(stop)}")
            record = self._record(at)
            if record is None or not follows(last, record) or (strict and not self._continues(last, record)):
                record = None if strict else self._search(at + UNIT, stop, last)
                if record is None:
                    return
            self._log_id = record.log_id
            self._files.setdefault(record.file, LogFile()).add(record)
            last, at = record, record.next_position

    def _continues(self, last: Optional[Record], record: Record) -> bool:
        is_whole = record.kind == BLOCK_RECORD or self._list(record) is not None
        return is_whole and record.number == (last.number + 1 if last else 0)

    def _search(self, at: int, stop: int, last: Optional[Record]) -> Optional[Record]:
        """The first record from a place on that can follow the last one."""
        stop = stop if stop < self._size else min(stop, at + LOOK_AHEAD)
        while at < stop:
            self._report.progress(f"looking for records: {human(at)} of {human(stop)}")
            size = min(MIB, stop - at)
            chunk = self._disk.read(self._base + at, size)
            if chunk is None:  # unreadable somewhere within: unit by unit
                units = range(at, at + size, UNIT)
                chunk = b"".join(self._disk.read(self._base + unit, UNIT) or bytes(UNIT) for unit in units)
            if not chunk:
                return None
            for place in range(0, len(chunk), UNIT):
                record = parse_record(chunk[place : place + 64], at + place)
                if record and self._is_ours(record) and follows(last, record):
                    return record
            at += -(-len(chunk) // UNIT) * UNIT
        return None

    def _record(self, position: int) -> Optional[Record]:
        record = parse_record(self._disk.read(self._base + position, 64), position)
        return record if record and self._is_ours(record) else None

    def _is_ours(self, record: Record) -> bool:
        return self._log_id in (None, record.log_id) and within_limits(record)

    # Reading them.

    def close(self) -> None:
        os.close(self._disk.fd)

    def next_file(self, number: int) -> Optional[int]:
        return min((n for n in self._files if n >= number), default=None)

    def is_closed(self, file: int) -> bool:
        return self._files[file].filemark is not None

    def seek(self, file: int, block: int) -> bool:
        if file not in self._files:
            return False
        self._file, self._block = file, block
        return block <= self._files[file].count

    def _position(self, file: int, number: int) -> Tuple[Optional[int], int]:
        """Where a block stands; or None, and the number of the next that is there."""
        place = self._files[file]
        if place.start is None or place.filemark is None:
            i = bisect.bisect_left(place.numbers, number)
            following = place.numbers[i] if i < len(place.numbers) else place.count
            return (place.positions[i] if following == number else None), following
        if self._listed_file != file or not 0 <= number - self._listed_from < len(self._listed):
            first = number - number % LIST_PIECE
            size = 4 * min(LIST_PIECE, place.count - first)
            piece = self._disk.read(self._base + place.filemark.position + 84 + 4 * first, size)
            self._listed_file, self._listed_from, self._listed = file, first, distances_of(piece or b"")
        if number - self._listed_from >= len(self._listed):  # it could be read a moment ago
            return None, place.count
        return place.start + UNIT * self._listed[number - self._listed_from], number

    def read(self) -> Optional[Found]:
        number = self._block
        if self._file not in self._files or number >= self._files[self._file].count:
            return None
        position, following = self._position(self._file, number)
        if position is None:
            self._block = following
            return Found(number, None, following - number)
        self._block += 1
        record = self._record(position)
        if record is None or (record.kind, record.file, record.block) != (BLOCK_RECORD, self._file, number):
            return Found(number, None)
        return Found(number, self._disk.read(self._base + record.position + 64, record.length))

    def read_tail(self, file: int, back: int) -> Optional[Found]:
        if not self.seek(file, 0) or back > self._files[file].count:
            return None
        self._block = self._files[file].count - back
        return self.read()


def find_record_log(disk: Disk, report: Report) -> RecordLog:
    """By the partition tables, at the start (a bare partition), or at 5 MiB."""
    places = [0]
    for sector in (512, 4096):
        for table in (sector, disk.size - disk.size % sector - sector):
            places += gpt_log_partitions(disk, sector, table)
    places = list(dict.fromkeys([*places, 5 * MIB]))
    for base in places:  # a superblock is proof
        if any(parse_superblock(disk.read(base + place, UNIT)) for place in (0, UNIT)):
            return RecordLog(disk, base, report)
    for base in places:  # so is a first record that says where it stands
        if parse_record(disk.read(base + FIRST_RECORD, 64), FIRST_RECORD):
            return RecordLog(disk, base, report)
    for base in [*places[1:], 0]:  # and so is any record
        log = RecordLog(disk, base, report)
        if log.next_file(0) is not None:
            return log
    raise Problem(NOTHING_FOUND)


def gpt_log_partitions(disk: Disk, sector: int, table: int) -> List[int]:
    """Where one GUID partition table (UEFI 2.10, section 5.3) says that record logs begin."""
    head = (disk.read(table, 92) or b"") if table > 0 else b""
    if len(head) < 92 or head[:8] != b"EFI PART":
        return []
    entries_at, count, size, entries_crc = struct.unpack_from("<QIII", head, 72)
    if zlib.crc32(head[:16] + bytes(4) + head[20:92]) != struct.unpack_from("<I", head, 16)[0]:
        return []
    if not 128 <= size <= 4096 or not 1 <= count <= 1024:
        return []
    entries = disk.read(entries_at * sector, count * size) or b""
    if len(entries) < count * size or zlib.crc32(entries) != entries_crc:
        return []
    rows = [entries[i * size : i * size + 48] for i in range(count)]
    return [struct.unpack_from("<Q", row, 32)[0] * sector for row in rows if row[:16] == LOG_PARTITION_TYPE]


# --- Tape (the Linux st driver) ----------------------------------------------------------------------------------

MTIOCTOP, MTIOCGET = 0x40086D01, 0x80306D02  # linux/mtio.h, as on 64-bit x86 and ARM
MTFSF, MTBSF, MTFSR, MTBSR, MTREW, MTSETBLK = 1, 2, 3, 4, 6, 20
GMT_EOD = 0x08000000
READ_ATTEMPTS = 3
MOST_FAILURES = 64  # blocks in a row that cannot be read: then the rest of the file is given up
READ_SIZES = (LARGEST_BLOCK, 8 * MIB, 4 * MIB, 2 * MIB, MIB, MIB // 2, MIB // 4, MIB // 16)
"""A drive or host adapter refuses reads larger than it can do: the largest that it accepts is used."""


class TapeNode:
    """The three things that are asked of a tape drive."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def do(self, operation: int, count: int = 1) -> None:
        fcntl.ioctl(self._fd, MTIOCTOP, struct.pack("@hxxi", operation, count))

    def at_end_of_data(self) -> bool:
        status = struct.unpack("@lllllii", fcntl.ioctl(self._fd, MTIOCGET, bytes(48)))
        return bool(status[3] & GMT_EOD)


class Tape(Medium):
    """Knows where it stands as (file, block); block is None after an error, file too after a failed movement."""

    def __init__(self, node: TapeNode) -> None:
        self._node = node
        self._read_size = 0
        self._ended = False  # nothing more in this file
        self._failures = 0
        self._file: Optional[int] = None
        self._block: Optional[int] = None
        self._rewind()
        self._move(MTSETBLK, 0)  # blocks of any size, should the drive have been left otherwise
        self._file, self._block = 0, 0

    def close(self) -> None:
        self._node.close()

    def _rewind(self) -> None:
        try:
            self._node.do(MTREW)
        except OSError as error:
            raise Problem(f"the tape cannot be rewound: {error.strerror}") from None
        self._file, self._block = 0, 0

    def _move(self, operation: int, count: int) -> bool:
        try:
            self._node.do(operation, count)
        except OSError:
            self._file = self._block = None
            return False
        return True

    def next_file(self, number: int) -> Optional[int]:
        while self.seek(number, 0):
            if self.read() is not None:
                return number
            if self._file is None:
                return None
            number += 1  # an empty file
        return None

    def is_closed(self, file: int) -> bool:
        if self._file != file:
            self.seek(file, 0)
        closed = self._move(MTFSF, 1)
        self._file, self._block = (file + 1, 0) if closed else (None, None)
        return closed

    def seek(self, file: int, block: int) -> bool:
        self._ended, self._failures = False, 0
        if self._file is None or self._block is None:
            self._rewind()
        elif self._file == file and 0 < self._block - block <= 16:
            if self._move(MTBSR, self._block - block):
                self._file, self._block = file, block
                return True
            self._rewind()
        elif (file, block) < (self._file, self._block):
            # back over the filemark before the file, and forward over it again
            if file > 0 and self._move(MTBSF, self._file - file + 1) and self._move(MTFSF, 1):
                self._file, self._block = file, 0
            else:
                self._rewind()
        if file > (self._file or 0):
            if not self._move(MTFSF, file - (self._file or 0)):
                return False
            self._file, self._block = file, 0
        if block > (self._block or 0):
            if not self._move(MTFSR, block - (self._block or 0)):
                return False
            self._block = block
        return True

    def read(self) -> Optional[Found]:
        if self._ended:
            return None
        for _ in range(READ_ATTEMPTS):
            try:
                data = self._read()
            except OSError as error:
                if error.errno not in (errno.EIO, errno.ENODATA, errno.EILSEQ, errno.ENOSPC):
                    raise Problem(f"the tape cannot be read: {error.strerror}") from None
                self._block = None
                continue
            self._failures = 0
            return self._found(data, self._block)
        self._failures += 1
        if self._failures < MOST_FAILURES and self._move(MTFSR, 1):
            return Found(None, None)
        self._ended, self._file = True, None
        return None if self._node.at_end_of_data() else Found(None, None)

    def _found(self, data: bytes, number: Optional[int]) -> Optional[Found]:
        if data:
            self._block = None if number is None else number + 1
            return Found(number, data)
        self._ended = True
        if number == 0 and self._node.at_end_of_data():  # which reads like a filemark, once
            self._file = self._block = None
        elif self._file is not None:
            self._file, self._block = self._file + 1, 0
        return None

    def _read(self) -> bytes:
        for size in (self._read_size,) if self._read_size else READ_SIZES:
            try:
                data = self._node.read(size)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EOVERFLOW, errno.EBUSY) and not self._read_size:
                    continue
                if error.errno == errno.ENOMEM:
                    raise Problem("the tape has a block that is larger than this computer can read") from None
                raise
            self._read_size = size
            return data
        raise Problem("the tape drive accepts no read of any size")

    def read_tail(self, file: int, back: int) -> Optional[Found]:
        if self.is_closed(file):
            self._move(MTBSF, 1)
        if not self._move(MTBSR, back):  # there are fewer blocks
            return None
        self._ended, self._file, self._block = False, file, None
        return self.read()


# --- One drive, into which a person puts one cartridge after the other ---------------------------------------------


class NothingIn(Medium):
    """In place of a cartridge that nobody has."""

    def next_file(self, number: int) -> Optional[int]:  # noqa: ARG002 - as every medium has it
        return None

    def seek(self, file: int, block: int) -> bool:  # noqa: ARG002
        return False

    def read(self) -> Optional[Found]:
        return None

    def read_tail(self, file: int, back: int) -> Optional[Found]:  # noqa: ARG002
        return None

    def is_closed(self, file: int) -> bool:  # noqa: ARG002
        return False


class OneDrive:
    def __init__(self, path: str, medium: Medium, label: Document, report: Report) -> None:
        self.path, self._report = path, report
        self._medium, self._in = medium, name_of(label)
        self._given_up: Set[str] = set()

    def take(self, name: str) -> Medium:
        """The medium with the cartridge of this name, which a person is asked for where another one is in."""
        while name != self._in:
            if name in self._given_up or not self.another(f"cartridge {show(name)}"):
                self._given_up.add(name)
                self._report.damage(f"cartridge {show(name)} was not put in")
                return NothingIn()
            if name != self._in:
                print(f"that is cartridge {show(self._in)}", file=sys.stderr)
        return self._medium

    def another(self, what: str) -> bool:
        """Have another cartridge put in; False where there is none."""
        self._medium.close()
        self._medium, self._in = NothingIn(), ""
        while True:
            print(
                f"put {what} into {show(self.path)} and press Enter (n: there is none): ",
                end="",
                file=sys.stderr,
                flush=True,
            )
            line = sys.stdin.readline()
            if not line or line.strip().lower() == "n":
                return False
            try:
                self._medium = open_medium(self.path, self._report)
                self._in = name_of(read_label(self._medium))
            except (Problem, Damaged) as error:
                print(f"  {error}", file=sys.stderr)
            else:
                return True

    def cartridge(self) -> Cartridge:
        return Cartridge(self._medium, self._report)


class HandFed(Medium):
    """A cartridge that is asked for whenever something is read from it."""

    def __init__(self, drive: OneDrive, name: str) -> None:
        self._drive, self._name = drive, name

    def next_file(self, number: int) -> Optional[int]:
        return self._drive.take(self._name).next_file(number)

    def seek(self, file: int, block: int) -> bool:
        return self._drive.take(self._name).seek(file, block)

    def read(self) -> Optional[Found]:
        return self._drive.take(self._name).read()

    def read_tail(self, file: int, back: int) -> Optional[Found]:
        return self._drive.take(self._name).read_tail(file, back)

    def is_closed(self, file: int) -> bool:
        return self._drive.take(self._name).is_closed(file)


def open_medium(path: str, report: Report) -> Medium:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        mode = os.fstat(fd).st_mode
        if stat.S_ISCHR(mode):
            return Tape(TapeNode(fd))
        if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
            return find_record_log(Disk(fd), report)
    except OSError as error:
        hints = {
            errno.ENOMEDIUM: "\n  no cartridge is in the drive",
            errno.EACCES: "\n  try it as root: sudo python3 rescue.py ...",
            errno.EBUSY: "\n  another program is using the drive",
        }
        raise Problem(f"{show(path)}: {error.strerror}{hints.get(error.errno or 0, '')}") from None
    raise Problem(f"{show(path)}: neither an image file nor a disk nor a tape drive")


# === Parity: blocks that are lost made again from their group (section 10) =======================================

PARITY_HEAD = struct.Struct(">4sBBHH2sIIIQ")
MOST_PARITY = 64 * MIB  # of a group
MOST_PENDING = 1 << 16  # damaged blocks in a row that are looked at together
POWERS = [1]  # of 2, in GF(256) with the polynomial 11D
while len(POWERS) < 255:
    POWERS.append(POWERS[-1] << 1 ^ 0x11D * (POWERS[-1] >> 7))
LOGARITHMS = {power: exponent for exponent, power in enumerate(POWERS)}


def times(a: int, b: int) -> int:
    return POWERS[(LOGARITHMS[a] + LOGARITHMS[b]) % 255] if a and b else 0


def added(*parts: bytes) -> bytes:
    total = 0
    for part in parts:
        total ^= int.from_bytes(part, "little")
    return total.to_bytes(len(parts[0]), "little")


def scaled(data: bytes, factor: int) -> bytes:
    return data.translate(bytes(times(factor, byte) for byte in range(256)))


def solve(exponents: List[int], syndromes: List[Tuple[int, bytes]]) -> List[bytes]:
    """What was lost, from as many syndromes (index of the parity, its bytes): Gauss and Jordan in GF(256)."""
    n = len(exponents)
    rows = [
        [POWERS[index * e % 255] for e in exponents] + [int(r == c) for c in range(n)]
        for r, (index, _) in enumerate(syndromes[:n])
    ]
    for c in range(n):
        pivot = next(r for r in range(c, n) if rows[r][c])
        rows[c], rows[pivot] = rows[pivot], rows[c]
        inverse = POWERS[-LOGARITHMS[rows[c][c]] % 255]
        rows[c] = [times(inverse, value) for value in rows[c]]
        for r in range(n):
            if r != c:
                rows[r] = [value ^ times(rows[r][c], other) for value, other in zip(rows[r], rows[c])]
    return [added(*(scaled(data, row[n + i]) for i, (_, data) in enumerate(syndromes[:n]))) for row in rows]


class Group(NamedTuple):
    """What a parity block tells of its group, and its own part of the parity."""

    m: int
    which: int
    lanes: int
    lane: int
    shard: int
    size: int
    members: int
    first: int
    block: Block

    @property
    def end(self) -> int:
        """Sequence behind the group's last parity block."""
        return self.first + self.members + self.lanes * self.m

    @property
    def parity(self) -> bytes:
        return bytes(self.block.payload[PARITY_HEAD.size :])

    def is_with(self, block: Block) -> bool:
        """Whether a block is one of the group."""
        return (block.archive, block.segment, block.group) == (self.block.archive, self.block.segment, self.block.group)

    def same(self, other: Group) -> bool:
        return self[:1] + self[2:3] + self[4:8] == other[:1] + other[2:3] + other[4:8]

    def exponent(self, shard: int) -> int:
        """Of 2 in the factor of a shard: how many more its lane has behind it."""
        count = -(-self.size // self.shard)
        return (count - shard % self.lanes + self.lanes - 1) // self.lanes - 1 - shard // self.lanes


def parse_group(block: Block) -> Group:
    if len(block.payload) < PARITY_HEAD.size:
        raise Damaged("a parity block that is too short")
    magic, m, index, lanes, lane, reserved, shard, size, members, first = PARITY_HEAD.unpack_from(block.payload)
    sums_up = len(block.payload) == PARITY_HEAD.size + shard and not any(reserved) and index < m and lane < lanes
    if magic != b"TKP1" or not sums_up or not 1 <= m <= 3 or shard < 64 or lanes * m * shard > MOST_PARITY:
        raise Damaged("a parity block with values that have no meaning")
    if not 1 <= members * 128 <= size <= lanes * 255 * shard:
        raise Damaged("a parity block with sizes that do not add up")
    group = Group(m, index, lanes, lane, shard, size, members, first, block)
    if not first + members <= block.sequence < group.end:
        raise Damaged("a parity block that belongs elsewhere")
    return group


class Sums:
    """A group's parity as it adds up over what can be read, lane by lane: numbers of as many bytes as a shard."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._sums = [[0] * group.lanes for _ in range(group.m)]
        self._high, self._shard, self._count = int.from_bytes(b"\x80" * group.shard, "little"), bytearray(), 0

    def add(self, data: Bytes) -> None:
        """The next bytes of the group."""
        at, size = 0, self._group.shard
        while at < len(data):
            piece = data[at : at + size - len(self._shard)]
            self._shard += piece
            at += len(piece)
            if len(self._shard) == size:
                self._end_shard()

    def pass_over(self, size: int) -> None:
        """Bytes that are not known count as zeros."""
        while size > 0:
            piece = min(size, MIB)
            self.add(bytes(piece))
            size -= piece

    def finish(self) -> None:
        if self._shard:
            self.add(bytes(self._group.shard - len(self._shard)))

    def _end_shard(self) -> None:
        lane, value = self._count % self._group.lanes, int.from_bytes(self._shard, "little")
        for index, sums in enumerate(self._sums):
            for _ in range(index):
                carry = sums[lane] & self._high
                sums[lane] = ((sums[lane] ^ carry) << 1) ^ (carry >> 7) * 0x1D
            sums[lane] ^= value
        self._shard.clear()
        self._count += 1

    def of(self, index: int, lane: int) -> bytes:
        return self._sums[index][lane].to_bytes(self._group.shard, "little")


class Loss(NamedTuple):
    """Bytes of a shard that are lost."""

    shard: int
    start: int
    end: int


class Repair:
    """Reads one group of a segment, and makes again what is lost of it."""

    def __init__(self, segment: Segment, group: Group) -> None:
        self._segment, self._group = segment, group
        self._start = group.first - (segment.sequence_start or 0)  # number of the first member in its file
        self._sums = Sums(group)
        self._gaps: List[Tuple[int, int]] = []
        self._there: Dict[Tuple[int, int], bytes] = {}

    def members(self) -> Dict[int, bytes]:
        """The members that could be made again, by their numbers; parity blocks, empty, where nobody needs them now."""
        if self._start < 0 or not self._read():
            return {}
        made: Dict[int, bytes] = {}
        solved = self._solve()
        for start, end in self._gaps:
            here = [(loss.shard * self._group.shard + loss.start - start, known) for loss, known in solved.items()]
            here = [(at, known) for at, known in here if at >= 0 and at + len(known) <= end - start]
            content = bytearray(end - start if here else 0)
            for at, known in here:
                content[at : at + len(known)] = known
            made.update(self._blocks_in(start, content))
        if sum(end - start for start, end in self._gaps) == sum(map(len, made.values())):
            first = self._start + self._group.members
            made.update((number, b"") for number in range(first, first + self._group.lanes * self._group.m))
        return made

    def _read(self) -> bool:
        """Add up what can be read; False where too much is lost to try."""
        group, known = self._group, 0
        for _, block, raw in self._segment.raw_blocks(self._start, self._start + group.members + group.lanes * group.m):
            if not group.is_with(block):
                continue
            if block.kind == PARITY:
                self._keep(block)
            elif known <= block.place and block.place + len(raw) <= group.size:
                if not self._pass_to(known, block.place):
                    return False
                self._sums.add(raw)
                known = block.place + len(raw)
        if not self._pass_to(known, group.size):
            return False
        self._sums.finish()
        return True

    def _pass_to(self, known: int, place: int) -> bool:
        group = self._group
        if place - known > (group.m + 1) * group.lanes * group.shard:
            return False
        if place > known:
            self._gaps.append((known, place))
            self._sums.pass_over(place - known)
        return True

    def _keep(self, block: Block) -> None:
        try:
            other = parse_group(block)
        except Damaged:
            return
        if other.same(self._group):
            self._there[other.which, other.lane] = other.parity

    def _solve(self) -> Dict[Loss, bytes]:
        """Stretch by stretch where losses of a lane overlap: as many as it has parities can be solved."""
        group, by_lane = self._group, {}  # type: Tuple[Group, Dict[int, List[Loss]]]
        for start, end in self._gaps:
            for shard in range(start // group.shard, -(-end // group.shard)):
                at = shard * group.shard
                loss = Loss(shard, max(start - at, 0), min(end - at, group.shard))
                by_lane.setdefault(shard % group.lanes, []).append(loss)
        solved: Dict[Loss, bytes] = {}
        for lane, losses in by_lane.items():
            syndromes = [
                (index, added(self._there[index, lane], self._sums.of(index, lane)))
                for index in range(group.m)
                if (index, lane) in self._there
            ]
            borders = sorted({border for loss in losses for border in (loss.start, loss.end)})
            for start, end in zip(borders, borders[1:]):
                hit = [loss.shard for loss in losses if loss.start <= start and end <= loss.end]
                if hit and len(hit) <= len(syndromes):
                    found = solve([group.exponent(shard) for shard in hit], [(i, s[start:end]) for i, s in syndromes])
                    solved.update((Loss(shard, start, end), known) for shard, known in zip(hit, found))
        return solved

    def _blocks_in(self, start: int, content: bytearray) -> Iterator[Tuple[int, bytes]]:
        """The whole blocks in a stretch of the group's bytes; each proves itself by its own SHA-256."""
        at = 0
        while 0 <= at < len(content):
            raw = bytes(content[at : at + 128 + int.from_bytes(content[at + 12 : at + 16], "big")])
            try:
                block = parse_block(raw)
                if not self._group.is_with(block) or block.place != start + at or block.kind == PARITY:
                    raise Damaged("a block that belongs elsewhere")
            except Damaged:
                at = content.find(b"TKBLOCK1", at + 1)
                continue
            yield block.sequence - (self._segment.sequence_start or 0), raw
            at += len(raw)


# === What is on the cartridge: segments, archives, label (sections 4 and 6) ======================================


class Before(NamedTuple):
    """What a segment's header says of an earlier segment of its archive."""

    name: str  # of its cartridge
    start: int  # in the stream
    closed: bool  # False: it has no catalog, its members are in the next one's


class Segment:
    """One file of the cartridge from file 2 on: a part of an archive, mostly all of it."""

    def __init__(self, medium: Medium, file: int, report: Report) -> None:
        self.medium, self.file, self._report = medium, file, report
        self.archive, self.number = b"", 0
        self.header: Optional[Document] = None  # what is needed often; the rest is read again
        self.header_blocks = 0
        self.trailer: Optional[Document] = None
        self.keys: Optional[Keys] = None
        self.header_copy: Optional[Document] = None  # from the trailer, where the header is damaged
        self.sequence_start: Optional[int] = None  # sequence of its first block
        self.stream_start: Optional[int] = None  # stream offset of its first data block
        self.cut = LARGEST_PLAIN  # plain bytes of a data block, or the most there can be
        self.previous: List[Before] = []  # the parts before this one
        self.kept: Optional[List[Optional[bytes]]] = None  # the catalog's blocks, where the cartridge is to go
        self._made: Dict[int, bytes] = {}  # blocks that were made again, of the last group that was read
        self._tried = range(0)  # the blocks of that group: what is not made again by now will not be
        try:
            self._read_header()
        except Damaged as error:
            report.damage(f"file {file}: its header is damaged: {error}")
            if self.archive and self.number == 0:
                self.sequence_start = self.stream_start = 0
        self.closed = medium.is_closed(file)
        try:
            if self.archive:
                self._read_trailer()
        except Damaged:  # an incomplete segment has none
            with contextlib.suppress(Damaged):
                if self.closed:
                    self._read_trailer_copy()

    def _read_header(self) -> None:
        self._take_header(self.read_header())

    def read_header(self) -> Document:
        """The header document. Where not even parity gives it back, the first good block at least tells the archive."""
        self.medium.seek(self.file, 0)
        document, damage, count = bytearray(), None, 0
        for found in iter(self.medium.read, None):
            try:
                block = parse_block(found.data)
            except Damaged as error:
                damage = damage or error
                continue
            if not self.archive:
                self.archive, self.number = block.archive, block.segment
            if damage or block.kind != HEADER or block.offset != len(document) or count == MOST_DOCUMENT_BLOCKS:
                break
            document += block.payload
            count += 1
            if len(document) > LARGEST_DOCUMENT:
                break
            if block.flags & LAST:
                header = parse_document(document)
                self.header_blocks = count
                return header
        if damage is not None:
            del document
            mended = self._mended_header()
            if mended is not None:
                return mended
        raise damage or Damaged("it is not there")

    def _mended_header(self) -> Optional[Document]:
        """The header with the blocks that parity gives back."""
        self.medium.seek(self.file, 0)
        before, start = (self.sequence_start, self.stream_start), None
        for found in iter(self.medium.read, None):
            with contextlib.suppress(Damaged):
                block = parse_block(found.data)
                start = block.sequence - found.number if found.number is not None else 0 if not block.segment else None
                break
        if not self.archive or start is None:
            return None
        document, count = bytearray(), 0
        self.sequence_start = start
        try:
            for number, part, _ in self.mended_blocks(0):
                if part is None or number != count or part.kind != HEADER or part.offset != len(document):
                    return None
                document += part.payload
                count += 1
                if len(document) > LARGEST_DOCUMENT or count > MOST_DOCUMENT_BLOCKS:
                    return None
                if part.flags & LAST:
                    header = parse_document(document)
                    self.header_blocks = count
                    return header
        except Damaged:
            pass
        finally:
            self.sequence_start, self.stream_start = before
        return None

    def _take_header(self, header: Document) -> None:
        if int_of(header, "format", 1, 1 << 32) != 1:
            raise NewerFormat
        if header.get("archive") != self.archive.hex() or header.get("segment") != self.number:
            raise Damaged("it speaks of another archive")
        if not isinstance(header.get("slots", []), list):
            raise Damaged("in its document, slots is not a list")
        self.cut = int_of(header, "cut", 1, LARGEST_PLAIN)
        self.stream_start = int_of(header, "stream_start", 0, 1 << 63)
        self.sequence_start = int_of(header, "sequence_start", 0, 1 << 63)
        before = header.get("previous") or []
        if not isinstance(before, list) or not all(isinstance(part, dict) for part in before):
            raise Damaged("in its document, previous is not a list of parts")
        self.previous = [
            Before(
                text_of(part, "name")[:LARGEST_TEXT],
                int_of(part, "stream_start", 0, 1 << 63),
                part.get("trailer_sha256") is not None,
            )
            for part in before
        ]
        self.header = {key: text_of(header, key)[:LARGEST_TEXT] for key in ("job", "site", "host", "started", "root")}
        self.header["cipher"] = header.get("cipher") is not None

    def _read_trailer(self) -> None:
        """The trailer document, from the last block back."""
        pieces: List[Bytes] = []
        start: Optional[int] = None
        while start != 0:
            found = self.medium.read_tail(self.file, len(pieces) + 1)
            block = parse_block(found.data if found else None)
            if block.kind != TRAILER or (block.archive, block.segment) != (self.archive, self.number):
                raise Damaged("no trailer")
            end = block.offset + block.plain_size
            if bool(block.flags & LAST) != (start is None) or start not in (None, end) or end > LARGEST_DOCUMENT:
                raise Damaged("no whole trailer")
            if len(pieces) == MOST_DOCUMENT_BLOCKS:
                raise Damaged("a trailer of too many blocks")
            pieces.append(self.open(block))
            start = block.offset
        self._take_trailer(b"".join(reversed(pieces)))

    def _read_trailer_copy(self) -> None:
        """The trailer as it stands within the last group too, where its own blocks are damaged."""
        for back in range(1, MOST_DOCUMENT_BLOCKS + 2):
            found = self.medium.read_tail(self.file, back)
            if found is None:
                break
            try:
                block = parse_block(found.data)
            except Damaged:
                continue
            if block.kind == PARITY and back > 1 and self.sequence_start is not None:
                copies = self._trailer_copies(parse_group(block))
                self._take_trailer(b"".join(bytes(self.open(copy)) for copy in copies))
                self._report.note(f"corrected: file {self.file}: its trailer, from the copy before the parity")
            break

    def _trailer_copies(self, group: Group) -> List[Block]:
        """The blocks of the trailer's copy: the last members of the last group."""
        copies: List[Block] = []
        number = group.first + group.members - (self.sequence_start or 0)
        while not copies or copies[0].offset > 0:
            number -= 1
            block = self._block_of(group, number)
            if block is None or block.kind != TRAILER or len(copies) == MOST_DOCUMENT_BLOCKS:
                raise Damaged("no whole copy of the trailer")
            copies.insert(0, block)
        return copies

    def _block_of(self, group: Group, number: int) -> Optional[Block]:
        for _, block, _ in self.raw_blocks(number, number + 1):
            return block
        if number not in self._tried:
            self._repair(group)
        raw = self._made.get(number)
        return parse_block(raw) if raw else None

    def _repair(self, group: Group) -> None:
        start = self.sequence_start or 0
        self._tried = range(group.first - start, group.end - start)
        self._made = Repair(self, group).members()

    def _take_trailer(self, raw: bytes) -> None:
        trailer = parse_document(raw)
        if trailer.get("archive") != self.archive.hex() or trailer.get("segment") != self.number:
            raise Damaged("a trailer that speaks of another archive")
        if text_of(trailer, "state") not in ("complete", "continued", "aborted"):
            raise Damaged("a trailer without a state")
        kept: Document = {}
        for key in ("state", "job", "started", "blocks_sha256"):
            kept[key] = text_of(trailer, key)[:LARGEST_TEXT]
        for key in ("catalog_block", "members", "source_bytes"):
            kept[key] = int_of(trailer, key, 0, 1 << 64)
        kept["first_member"] = int_of(trailer, "first_member", 0, 1 << 64) if "first_member" in trailer else 0
        self.trailer = kept
        if not self.header and trailer.get("header") is not None and isinstance(trailer.get("blocks"), dict):
            copy = parse_document(bytes_of(trailer, "header"))
            self.header_blocks = int_of(trailer["blocks"], "header", 1, MOST_DOCUMENT_BLOCKS)
            self._take_header(copy)
            self.header_copy = copy

    def about(self, key: str) -> str:
        return show(text_of(self.header or {}, key) or text_of(self.trailer or {}, key))

    @property
    def encrypted(self) -> bool:
        return self.header is not None and bool(self.header["cipher"])

    def raw_blocks(self, first: int, behind: int) -> Iterator[Tuple[int, Block, bytes]]:
        """The good blocks with the numbers from `first` to before `behind`, as they stand; others are passed over."""
        if not self.medium.seek(self.file, first):
            return
        last = first - 1
        for found in iter(self.medium.read, None):
            if found.number is not None and found.number >= behind:
                return
            try:
                block = parse_block(found.data)
                number = block.sequence - (self.sequence_start or 0)
                if (block.archive, block.segment) != (self.archive, self.number) or number <= last:
                    raise Damaged("a block that belongs elsewhere")
            except Damaged:
                continue
            if number >= behind:
                return
            last = number
            yield number, block, found.data or b""

    def mended_blocks(self, first: Optional[int]) -> Iterator[Tuple[int, Optional[Block], bytes]]:
        """The blocks of this file in order, those among them that parity gives back; None for what is lost.

        None as `first`: from where the medium stands. What is corrected or lost is reported.
        """
        if first is not None and not self.medium.seek(self.file, first):
            return
        last = -1 if first is None else first - 1
        is_known = first is not None  # whether `last` tells what should come next
        pending: List[Tuple[Found, Damaged]] = []
        for found in iter(self.medium.read, None):
            try:
                block = parse_block(found.data)
                number = self.place(block, found.number, last)
            except Damaged as error:
                pending.append((found._replace(data=None), error))
                if len(pending) == MOST_PENDING:
                    self._report_lost(pending, last, {})
                    yield last + 1, None, b""
                continue
            if pending or (is_known and number > last + 1):
                yield from self._mended(pending, last, number if is_known else None)
                if is_known:
                    self.medium.seek(self.file, number + 1)
            last, is_known = number, True
            yield number, block, found.data or b""
        if pending:
            yield from self._mended(pending, last, last + 1 + sum(found.run for found, _ in pending))

    def _mended(
        self, pending: List[Tuple[Found, Damaged]], last: int, behind: Optional[int]
    ) -> Iterator[Tuple[int, Optional[Block], bytes]]:
        """What can be had of the blocks between `last` and `behind`, of which the pending ones are damaged."""
        made: Dict[int, bytes] = {}
        if behind is not None and behind - last - 1 <= MOST_PENDING:
            for number in range(last + 1, behind):
                if number not in made:
                    made.update(self._made_again(number, behind))
        damaged = sum(found.run for found, _ in pending)
        self._report_lost(pending, last, made)
        if behind is not None and behind - last - 1 > damaged and not all(n in made for n in range(last + 1, behind)):
            self._report.damage(f"file {self.file}: blocks are missing before block {behind}")
        for number in sorted(made):
            self._report.note(f"corrected: file {self.file}, block {number}")
            if made[number]:
                yield number, parse_block(made[number]), made[number]
        if behind is None or len(made) < behind - last - 1:
            yield last + 1, None, b""

    def _report_lost(self, pending: List[Tuple[Found, Damaged]], last: int, made: Dict[int, bytes]) -> None:
        number = last
        for found, error in pending:
            number = found.number if found.number is not None else number + 1
            if any(n not in made for n in range(number, number + min(found.run, MOST_PENDING + 1))):
                self._report.damage(f"{self._where(found, last)}: {error}")
            number += found.run - 1
        pending.clear()

    def _made_again(self, number: int, behind: int) -> Dict[int, bytes]:
        """The blocks from `number` to before `behind` that are in one group with it and could be made again."""
        if number not in self._made:
            group = None if number in self._tried else self._group_of(number)
            if group is None:
                return {}
            sequence = number + (self.sequence_start or 0)
            if sequence >= group.end:
                return self._trailer_again(group, behind)
            self._report.progress(f"correcting block {number} of file {self.file}")
            self._repair(group)
        return {n: raw for n, raw in self._made.items() if number <= n < behind}

    def _trailer_again(self, group: Group, behind: int) -> Dict[int, bytes]:
        made: Dict[int, bytes] = {}
        with contextlib.suppress(Damaged):
            for sequence, copy in enumerate(self._trailer_copies(group), group.end):
                head = bytearray(copy.head)
                head[36:48] = struct.pack(">IQ", NO_GROUP, sequence)
                head[60:64] = bytes(4)
                digest = hashlib.sha256(bytes(head) + bytes(copy.payload)).digest()
                whole = bytes(head) + digest + bytes(28)
                number = sequence - (self.sequence_start or 0)
                if number < behind:
                    made[number] = whole + struct.pack(">I", zlib.crc32(whole)) + bytes(copy.payload)
        return made

    def _group_of(self, number: int) -> Optional[Group]:
        """The group that a block belongs to, or that stands before it: by the next good parity block, or the last."""
        sequence = number + (self.sequence_start or 0)
        for _, block, _ in self.raw_blocks(number, 1 << 62):
            if block.kind == PARITY:
                with contextlib.suppress(Damaged):
                    group = parse_group(block)
                    if group.first <= sequence < group.end:
                        return group
                break
            if block.group == NO_GROUP:
                break
        for earlier in range(number - 1, max(-1, number - 1 - MOST_PENDING), -1):
            for _, block, _ in self.raw_blocks(earlier, earlier + 1):
                if block.kind == TRAILER and block.group == NO_GROUP:
                    break
                with contextlib.suppress(Damaged):
                    if block.kind == PARITY:
                        return parse_group(block)
                return None
        return None

    def blocks(self, first: int = 0) -> Iterator[Tuple[int, Block]]:
        """The good blocks of this file in order, with their numbers. What is corrected or damaged is reported."""
        digest, sound = hashlib.sha256(), first == 0
        for number, block, _ in self.mended_blocks(first):
            if block is None:
                sound = False
                continue
            if block.kind not in (PARITY, TRAILER):
                digest.update(block.digest)
            yield number, block
        if sound and self.trailer and digest.hexdigest() != self.trailer.get("blocks_sha256"):
            self._report.damage(f"file {self.file}: its blocks are not the ones that its trailer speaks of")

    def _where(self, found: Found, last: int) -> str:
        if found.number is None:
            return f"file {self.file}, after block {last}"
        if found.run > 1:
            return f"file {self.file}, blocks {found.number} to {found.number + found.run - 1}"
        return f"file {self.file}, block {found.number}"

    def place(self, block: Block, number: Optional[int], last: int) -> int:
        """The block's number in this file. It must belong here, behind block `last` (section 3.2)."""
        if self.sequence_start is None:
            self.sequence_start = block.sequence - (number or 0)
        here = block.sequence - self.sequence_start
        if (block.archive, block.segment) != (self.archive, self.number) or here <= last or number not in (None, here):
            raise Damaged("a block that belongs elsewhere")
        if block.kind == DATA:
            if self.stream_start is None:
                self.stream_start = block.offset
            past = block.offset - self.stream_start
            if not 0 <= past <= (here - self.header_blocks) * self.cut or (self.header and past % self.cut):
                raise Damaged("a block that belongs elsewhere in the stream")
        return here

    def open(self, block: Block) -> Bytes:
        """The plain bytes of a block: decrypted, decompressed (section 3.3)."""
        data: Bytes = block.payload
        if block.flags & ENCRYPTED:
            data = self._decrypt(block)
        elif self.encrypted and block.kind in (DATA, CATALOG):
            raise Damaged("is not encrypted, though its archive is")
        if block.flags & COMPRESSED:
            return unzstd(data, block.plain_size)
        if len(data) != block.plain_size:
            raise Damaged(f"holds {len(data)} bytes where its header says {block.plain_size}")
        return data

    def _decrypt(self, block: Block) -> bytes:
        if not self.header:
            raise Problem(f"file {self.file} is encrypted, and its header, which holds the keys, is damaged")
        key = self.keys and (self.keys.data if block.kind == DATA else self.keys.catalog)
        if not key:
            raise NoKey("this key opens the list of files only, not their content")
        nonce = struct.pack(">IQ", block.segment, block.sequence)
        data = aes_gcm_open(key, nonce, block.payload, block.head)
        if data is None:
            raise Damaged("cannot be decrypted: it was changed")
        return data

    def catalog_blocks(self) -> Iterator[Optional[bytes]]:
        """The catalog blocks as they are stored; None for one or more that are damaged or missing."""
        if self.trailer and self.trailer["members"] == 0:
            return
        first = self.trailer["catalog_block"] if self.trailer else None
        if first is None or not self.medium.seek(self.file, first):
            first = None
            back, kind = 0, CATALOG  # from the end back to the last good data block: the catalog is behind it
            while kind not in (HEADER, DATA):
                back += 1
                found = self.medium.read_tail(self.file, back)
                if found is None:
                    self.medium.seek(self.file, 0)
                    break
                try:
                    kind = parse_block(found.data).kind
                except Damaged:
                    continue
        for _, block, raw in self.mended_blocks(first):
            if block is None:
                yield None
            elif block.kind == CATALOG:
                yield raw
                if block.flags & LAST:
                    return
        yield None


class Archive:
    """The segments of one archive that are at hand, in order."""

    def __init__(self, segments: List[Segment]) -> None:
        self.segments = sorted(segments, key=lambda s: (s.number, s.file))
        self.id = segments[0].archive

    def unlock(self, opener: Opener) -> None:
        for segment in self.segments:
            if segment.header and segment.encrypted and not segment.keys:
                try:
                    segment.keys = opener.unlock(
                        segment.header_copy or segment.read_header(), segment.archive, segment.number
                    )
                except Damaged as error:
                    raise Problem(f"file {segment.file}: a key slot is damaged: {error}") from None

    def before(self) -> List[Before]:
        """What the last segment that is there says of those before it."""
        return max((segment.previous for segment in self.segments), key=len)

    def missing(self) -> List[int]:
        """Numbers of segments that are not there, before the last one that is; but for those that hold nothing."""
        numbers, before = {segment.number for segment in self.segments}, self.before()
        starts = [part.start for part in before] + [self.segments[-1].stream_start]
        return [
            number for number in range(max(numbers))
            if number not in numbers and not (number < len(before) and starts[number] == starts[number + 1])
        ]  # fmt: skip

    def state(self) -> str:
        last = self.segments[-1]
        missing = self.missing()
        if missing:
            names = [part.name if part.name != SPOOL else "" for part in self.before()] + [""] * (missing[-1] + 1)
            parts = [
                f"part {number + 1}" + (f" (on cartridge {show(names[number])})" if names[number] else "")
                for number in missing
            ]
            return f"{', '.join(parts)} of it {'is' if len(parts) == 1 else 'are'} missing"
        if last.trailer is None:
            return "incomplete: " + ("its end is damaged" if last.closed else "it was not written to its end")
        if last.trailer["state"] == "continued":
            return "goes on on another cartridge"
        if last.trailer["state"] == "aborted":
            return "stopped before its end"
        return "complete" if last.closed else "complete, but no filemark ends it"

    @property
    def complete(self) -> bool:
        return self.state().startswith("complete")

    @property
    def lacks_parts(self) -> bool:
        """Whether another cartridge has something of it."""
        last = self.segments[-1]
        return (last.trailer is not None and last.trailer["state"] == "continued") or bool(self.missing())

    def __str__(self) -> str:
        first = self.segments[0]
        return f"job {first.about('job') or 'unknown'}, {first.about('started') or 'date unknown'}"


def read_label(medium: Medium) -> Document:
    found = medium.read() if medium.seek(0, 0) else None
    block = parse_block(found.data if found else None)
    if block.kind != LABEL:
        raise Damaged("another block stands in its place")
    label = parse_document(block.payload)
    if int_of(label, "format", 1, 1 << 32) > 1:
        raise NewerFormat
    for key in ("barcode", "pool", "labelled", "tool", "cartridge", "kit_sha256"):
        label[key] = text_of(label, key)[:LARGEST_TEXT]
    return label


def name_of(label: Document) -> str:
    """What people call a cartridge."""
    return text_of(label, "barcode") or text_of(label, "cartridge")[:8]


class Cartridge:
    """The label and the segments on a medium."""

    def __init__(self, medium: Medium, report: Report) -> None:
        self.medium, self._report = medium, report
        self.label: Document = {}
        self._read_label()
        self.segments: List[Segment] = []
        expected, file = 2, medium.next_file(2)
        while file is not None:
            if file > expected:
                report.damage(
                    f"file {expected} is lost" if file == expected + 1 else f"files {expected} to {file - 1} are lost"
                )
            segment = Segment(medium, file, report)
            if segment.archive:
                self.segments.append(segment)
            expected = file + 1
            file = medium.next_file(expected)

    def _read_label(self) -> None:
        try:
            self.label = read_label(self.medium)
        except NewerFormat as error:
            raise Problem(f"this cartridge is {error}\n  use the rescue kit that is on it") from None
        except Damaged as error:
            self._report.damage(f"the label (file 0) is damaged: {error}")

    def check_kit(self) -> None:
        digest = hashlib.sha256()
        if self.medium.next_file(1) == 1:
            self.medium.seek(1, 0)
            for found in iter(self.medium.read, None):
                digest.update(found.data or b"")
        if self.label and digest.hexdigest() != self.label.get("kit_sha256"):
            self._report.damage("file 1: the rescue kit on the cartridge is damaged")


def archives_of(segments: List[Segment]) -> List[Archive]:
    by_id: Dict[bytes, Dict[int, Segment]] = {}
    for segment in segments:
        parts = by_id.setdefault(segment.archive, {})
        if segment.number not in parts or segment.trailer:  # a copy that was cut off is made again behind it
            parts[segment.number] = segment
    return [Archive(list(parts.values())) for parts in by_id.values()]


def choose(archives: List[Archive], wish: str) -> Tuple[int, Archive]:
    """The archive that --archive names, with its number in the list."""
    numbered = list(enumerate(archives, 1))
    if not numbered:
        raise Problem("no archive is left on this cartridge")
    if wish == "latest":
        return ([pair for pair in numbered if pair[1].complete] or numbered)[-1]
    if wish.isdecimal() and 1 <= int(wish) <= len(numbered):
        return numbered[int(wish) - 1]
    fitting = [pair for pair in numbered if len(wish) >= 4 and pair[1].id.hex().startswith(wish.lower())]
    if len(fitting) != 1:
        raise Problem(f"archive {show(wish)}: not on this cartridge\n  `rescue.py list` shows what is")
    return fitting[0]


def note_later(archives: List[Archive], number: int, report: Report) -> None:
    """What `latest` passed over: later archives that are not whole."""
    for later, other in enumerate(archives[number:], number + 1):
        if not other.complete:
            report.note(f"archive {later} ({other}) is later, and not whole: {other.state()}")


# === The catalog (section 8) =====================================================================================

SHORT, ABSENT, DELTA = 2, 4, 16  # flags
CATALOG_HEAD = struct.Struct(">4sIQHII")
ROW_BYTES = 118


class Entry(NamedTuple):
    ordinal: int
    type: str
    flags: int
    mode: int
    note: bytes
    base: int
    size: int
    valid: int
    mtime_ns: int
    offset: int
    sha256: bytes
    path: bytes
    link: bytes


ROW = (("B", 2), ("I", 3), ("H", 4), ("Q", 4), ("q", 2), ("Q", 1), ("32s", 1), ("I", 2))
"""The columns of a table: how a value stands in it, and how many such columns follow one another."""
TYPE, FLAGS, MODE, OWNER, GROUP, NOTE, BASE, SIZE, VALID, MTIME, OFFSET, DIGEST, PATH, LINK = (
    0, 1, 2, 5, 6, 7, 8, 11, 12, 13, 15, 16, 17, 18)  # fmt: skip


def parse_table(table: Bytes) -> Tuple[int, int, Iterator[Entry]]:
    """A catalog table: the ordinal of its first entry, how many there are, and the entries.

    All is checked at once; the entries are made one by one, for together they take many times the table's memory.
    """
    if len(table) < CATALOG_HEAD.size:
        raise Damaged("a catalog table that is too short")
    magic, n, first, string_count, path_bytes, link_bytes = CATALOG_HEAD.unpack_from(table)
    strings_at = CATALOG_HEAD.size + n * ROW_BYTES + path_bytes + link_bytes
    if magic != b"TKC1" or not 1 <= n <= MOST_MEMBERS or strings_at > len(table):
        raise Damaged("a catalog table with sizes that do not add up")
    columns: List[memoryview] = []
    at, view = CATALOG_HEAD.size, memoryview(table)
    layouts = [struct.Struct(">" + code) for code, count in ROW for _ in range(count)]
    for layout in layouts:
        columns.append(view[at : at + n * layout.size])
        at += n * layout.size

    def values(column: int) -> Iterator[int]:
        return (value for (value,) in layouts[column].iter_unpack(columns[column]))

    if sum(values(PATH)) != path_bytes or sum(values(LINK)) != link_bytes:
        raise Damaged("a catalog table with sizes that do not add up")
    strings, at = [], strings_at
    for _ in range(string_count):
        size = int.from_bytes(view[at : at + 2], "big")
        strings.append(bytes(view[at + 2 : at + 2 + size]))
        at += 2 + size
    if at != len(table):
        raise Damaged("a catalog table with sizes that do not add up")
    most = max(max(values(column)) for column in (OWNER, GROUP, NOTE))
    if most >= string_count or strings[0] or max(values(FLAGS)) > 31 or set(columns[TYPE]) - set(b"fdlhpcbs"):
        raise Damaged("a catalog table with values that have no meaning")

    def entries() -> Iterator[Entry]:
        path_at, link_at = strings_at - path_bytes - link_bytes, strings_at - link_bytes
        for i, (path_size, link_size) in enumerate(zip(values(PATH), values(LINK))):
            row = [layout.unpack_from(column, i * layout.size)[0] for layout, column in zip(layouts, columns)]
            path, link = bytes(view[path_at : path_at + path_size]), bytes(view[link_at : link_at + link_size])
            yield Entry(first + i, chr(row[TYPE]), row[FLAGS], row[MODE], strings[row[NOTE]], row[BASE], row[SIZE],
                        row[VALID], row[MTIME], row[OFFSET], row[DIGEST], path, link)  # fmt: skip
            path_at, link_at = path_at + path_size, link_at + link_size

    return first, n, entries()


def everything(_name: bytes) -> bool:
    return True


class Catalog:
    """The members of an archive as its catalog lists them, in stream order.

    `entry` is the next member in the stream; `hole` says that a damaged part of the catalog lies before it.
    The catalog stands behind the data, on a tape far behind: its blocks are set aside first, in a temporary file
    and as they are stored (encrypted ones stay so), and opened one at a time.
    """

    def __init__(self, archive: Archive, report: Report) -> None:
        self._report = report
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115  (closed by close)
        self._places: List[Tuple[Segment, Optional[Tuple[int, int]]]] = []
        before = archive.before()
        for segment in archive.segments:
            if segment.number < len(before) and not before[segment.number].closed:
                continue
            for raw in segment.catalog_blocks() if segment.kept is None else segment.kept:
                self._places.append((segment, (self._spool.tell(), len(raw)) if raw else None))
                self._spool.write(raw or b"")
        self.begins_before = bool(archive.segments[0].stream_start)
        self.entry: Optional[Entry] = None
        self.hole = False
        self._wanted: Callable[[bytes], bool] = everything
        self._following: Iterator[Optional[Entry]] = iter(())

    def close(self) -> None:
        self._spool.close()

    def start(self, wanted: Callable[[bytes], bool]) -> None:
        """Go to the first member; what is lost or was never saved is reported where it is wanted."""
        self._wanted = wanted
        self._following = self.entries()
        self.advance()

    def advance(self) -> None:
        """Go on to the next member that stands in the stream."""
        self.entry, self.hole = None, False
        for entry in self._following:
            if entry is None:
                self.hole = True
            elif entry.flags & ABSENT:
                if entry.type != "s":
                    self.report(entry, "never saved", show(entry.note) or "no reason given")
            elif not entry.base:  # the others stand in earlier archives: see Joiner
                self.entry = entry
                return

    def pass_to(self, offset: int) -> None:
        """Leave behind the members that begin before an offset: they can no longer be restored."""
        while self.entry and self.entry.offset < offset:
            self.report(self.entry, "lost")
            self.advance()

    def report(self, entry: Entry, what: str, why: str = "") -> None:
        if self._wanted(entry.path):
            self._report.damage(f"{what}: {show(entry.path)}" + (f": {why}" if why else ""))

    def entries(self) -> Iterator[Optional[Entry]]:
        """All entries; None where some are missing. What two segments share comes once, as the later tells it."""
        held: Optional[Entry] = None
        for entry in self._tables():
            if held and not (entry and entry.ordinal == held.ordinal):
                yield held
            if entry is None:
                yield None
            held = entry
        if held:
            yield held

    def _tables(self) -> Iterator[Optional[Entry]]:
        expected = None if self.begins_before else 0
        for segment, place in self._places:
            try:
                if place is None:
                    raise Damaged("it cannot be read")
                self._spool.seek(place[0])
                block = parse_block(self._spool.read(place[1]))
                first, count, entries = parse_table(segment.open(block))
                if first != block.offset:
                    raise Damaged("a catalog table in the wrong place")
                if expected is not None and first not in (expected, expected - 1):  # one less: a member cut in two
                    yield None
                del block  # it is as large as the table
                yield from entries
                expected = first + count
            except Damaged as error:
                self._report.damage(f"file {segment.file}: a part of its catalog is damaged or missing: {error}")
                expected = None
                yield None


# === The stream: the plain bytes of an archive, forward only (sections 6.2 and 7) ================================


class Gap(Exception):
    """The bytes that are wanted are lost; the next that are there begin at `resume` (None: there are none)."""

    def __init__(self, resume: Optional[int]) -> None:
        super().__init__("the stream has a gap")
        self.resume = resume


class Stream:
    """`jumps` False: never seeks ahead, so that every block on the way is checked."""

    def __init__(self, archive: Archive, report: Report, *, jumps: bool = True) -> None:
        self._segments, self._report, self._jumps = archive.segments, report, jumps
        self._blocks = self._data_blocks(0, 0)
        self._at = (0, -1)  # segment and block that were read last
        self._chunk, self._chunk_at = memoryview(b""), 0
        self.ended = False
        self.pos = archive.segments[0].stream_start or 0
        if archive.segments[0].stream_start is None and self._load():
            self.pos = self._chunk_at

    def _data_blocks(self, index: int, first: int) -> Iterator[Tuple[Segment, Block]]:
        for i in range(index, len(self._segments)):
            # What a torn segment holds beyond the place where the next one took over was written there again.
            limit = self._segments[i + 1].stream_start if i + 1 < len(self._segments) else None
            for number, block in self._segments[i].blocks(first if i == index else 0):
                self._at = (i, number)
                if block.kind == DATA and (limit is None or block.offset < limit):
                    yield self._segments[i], block

    def _load(self) -> bool:
        """Open the next data block that reaches beyond the current place."""
        self._chunk = memoryview(b"")
        for segment, block in self._blocks:
            if block.offset + block.plain_size <= self.pos:
                continue
            try:
                self._chunk, self._chunk_at = memoryview(segment.open(block)), block.offset
            except Damaged as error:
                self._report.damage(f"file {segment.file}, block {self._at[1]}: {error}")
                continue
            self._report.progress(f"{human(block.offset)} read")
            return True
        self.ended = True
        return False

    def read(self, size: int) -> bytes:
        """From 1 to `size` bytes."""
        while not self._chunk or self.pos >= self._chunk_at + len(self._chunk):
            if not self._load():
                raise Gap(None)
        if self.pos < self._chunk_at:
            raise Gap(self._chunk_at)
        skip = self.pos - self._chunk_at
        piece = bytes(self._chunk[skip : skip + size])
        self.pos += len(piece)
        return piece

    def exactly(self, size: int) -> bytes:
        pieces = []
        while size > 0:
            pieces.append(self.read(size))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def give_back(self, piece: bytes) -> None:
        """Undo the last read."""
        rest = bytes(self._chunk[self.pos - self._chunk_at :])
        self.pos -= len(piece)
        self._chunk, self._chunk_at = memoryview(piece + rest), self.pos

    def pieces(self, size: int) -> Iterator[Tuple[int, Optional[bytes]]]:
        """The next `size` bytes as pieces: length and content, which is None where it is lost."""
        end = self.pos + size
        while self.pos < end:
            try:
                piece = self.read(min(end - self.pos, MIB))
                yield len(piece), piece
            except Gap as gap:
                lost = (end if gap.resume is None else min(gap.resume, end)) - self.pos
                self.pos += lost
                yield lost, None

    def skip_to(self, offset: int) -> None:
        """Go forward; over many blocks by seeking."""
        distance, self.pos = offset - self.pos, max(self.pos, offset)
        starts = [i for i, s in enumerate(self._segments) if s.header and (s.stream_start or 0) <= offset]
        if not self._jumps or not starts or distance < 8 * self._segments[starts[-1]].cut:
            return
        segment = self._segments[starts[-1]]
        # With parity blocks among them the block stands later than this, never earlier.
        block = segment.header_blocks + (offset - (segment.stream_start or 0)) // segment.cut
        if (starts[-1], block) > self._at:
            self._blocks, self._chunk = self._data_blocks(starts[-1], block), memoryview(b"")

    def drain(self) -> None:
        """Read what is left, so that every block is checked."""
        for _ in self._blocks:
            pass


# === Members: the pax tar in the stream (section 7) ==============================================================

TAR_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
REGULAR, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
CATALOG_TYPES = {b"0": "f", b"1": "h", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p"}


class Member(NamedTuple):
    name: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    user: bytes
    group: bytes
    size: int  # of the content in the stream, without padding
    mtime_ns: int
    atime_ns: Optional[int]
    link: bytes
    device: Tuple[int, int]
    pax: Dict[bytes, bytes]
    raw: bytes  # its headers as they stand in the stream


def octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise Damaged("a tar header with a number that is none")
    return int(digits or b"0", 8)


DIGITS = 19


def decimal(text: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,%d}" % DIGITS, text):
        raise Damaged("a pax header with a number that is none")
    return int(text)


def nanoseconds(text: bytes) -> int:
    match = re.fullmatch(rb"(-?)([0-9]{1,19})(?:\.([0-9]*))?", text)
    if not match:
        raise Damaged("a pax header with a time that is none")
    value = int(match[2]) * 10**9 + int((match[3] or b"")[:9].ljust(9, b"0"))
    return -value if match[1] else value


def is_tar_header(block: bytes) -> bool:
    return block[257:263] == b"ustar\0" and octal(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * 32


def parse_pax(body: bytes) -> Dict[bytes, bytes]:
    """Records `LENGTH KEY=VALUE newline`, LENGTH counting the whole record."""
    records, at = {}, 0
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        length = decimal(body[at:space]) if space > 0 else 0
        key, equals, value = body[space + 1 : at + length].partition(b"=")
        if length < 4 or at + length > len(body) or not equals or not value.endswith(b"\n"):
            raise Damaged("a pax header that cannot be read")
        records[key] = value[:-1]
        at += length
    return records


def read_headers(stream: Stream) -> bytes:
    """The headers of the member that begins here, as they stand; empty at the end of the archive."""
    raw = stream.exactly(512)
    if raw == bytes(512):
        return b""
    if not is_tar_header(raw):
        raise Damaged("no tar header where one should be")
    if raw[156:157] == b"x":
        size = octal(raw[124:136])
        if size > LARGEST_PAX_HEADER:
            raise Damaged("a pax header of more than 1 MiB")
        raw += stream.exactly(size + -size % 512 + 512)
        if not is_tar_header(raw[-512:]):
            raise Damaged("no tar header behind a pax header")
    return raw


def parse_member(raw: bytes) -> Member:
    pax = parse_pax(raw[512 : 512 + octal(raw[124:136])]) if raw[156:157] == b"x" else {}
    (name, mode, uid, gid, size, mtime, _, type_, link, _, _, user, group, major, minor,
     prefix) = TAR_HEADER.unpack(raw[-512:])  # fmt: skip
    name, link, user, group, prefix = (field.split(b"\0", 1)[0] for field in (name, link, user, group, prefix))
    type_ = REGULAR if type_ == b"\0" else type_  # as archives before POSIX have it
    if type_ not in (REGULAR, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO):
        raise Damaged(f"a tar member of unknown type {show(type_)}")
    return Member(
        name=pax.get(b"GNU.sparse.name") or pax.get(b"path") or (prefix + b"/" + name if prefix else name),
        type=type_,
        mode=octal(mode) & 0o7777,
        uid=decimal(pax[b"uid"]) if b"uid" in pax else octal(uid),
        gid=decimal(pax[b"gid"]) if b"gid" in pax else octal(gid),
        user=pax.get(b"uname", user),
        group=pax.get(b"gname", group),
        size=0 if type_ != REGULAR else decimal(pax[b"size"]) if b"size" in pax else octal(size),
        mtime_ns=nanoseconds(pax[b"mtime"]) if b"mtime" in pax else octal(mtime) * 10**9,
        atime_ns=nanoseconds(pax[b"atime"]) if b"atime" in pax else None,
        link=pax.get(b"linkpath", link),
        device=(octal(major), octal(minor)),
        pax=pax,
        raw=raw,
    )


def members(
    stream: Stream, catalog: Catalog, wanted: Callable[[bytes], bool], report: Report
) -> Iterator[Tuple[Member, Optional[Entry]]]:
    """The members that are wanted, each with its catalog entry where there is one; the caller reads their content.

    After damage it goes on with the next member that the catalog knows; where the catalog is damaged too, at the
    next place that looks like a tar header. Members that are lost are reported.
    """
    catalog.start(wanted)
    at: Optional[int] = None if catalog.begins_before else stream.pos
    while True:
        if at is None:
            at = next_start(stream, catalog, report)
            if at is None:
                break
        catalog.pass_to(at)
        entry = catalog.entry if catalog.entry and catalog.entry.offset == at else None
        if entry:
            catalog.advance()
            if not wanted(entry.path) and not catalog.hole:
                if catalog.entry is None:
                    return
                at = catalog.entry.offset
                continue
        stream.skip_to(at)
        at = None
        try:
            raw = read_headers(stream)
            if not raw:
                if entry is None and catalog.entry is None:
                    return
                continue
            member = parse_member(raw)
        except (Gap, Damaged) as error:
            if isinstance(error, Damaged):
                report.damage(f"before byte {stream.pos} of the stream: {error}")
            if entry:
                catalog.report(entry, "lost")
            continue
        at = stream.pos + member.size + -member.size % 512
        if wanted(member.name):
            yield member, entry
    report.damage("the archive's end is missing")


def next_start(stream: Stream, catalog: Catalog, report: Report) -> Optional[int]:
    """Where the next member begins, from a place on where that is not known."""
    catalog.pass_to(stream.pos)
    limit = catalog.entry.offset if catalog.entry else None
    while catalog.hole and (limit is None or stream.pos < limit):
        stream.skip_to(stream.pos + -stream.pos % 512)
        try:
            block = stream.exactly(512)
            if block[257:262] == b"ustar" and is_tar_header(block):
                stream.give_back(block)
                report.note("went on at what looks like the next file; it may be a part of one that is lost")
                return stream.pos
        except Damaged:
            continue
        except Gap as gap:
            if gap.resume is None:
                break
            stream.skip_to(gap.resume)
    catalog.pass_to(stream.pos)  # where the next bytes that are there may lie behind it
    return catalog.entry.offset if catalog.entry else None


def read_archive(
    archive: Archive, report: Report, wanted: Callable[[bytes], bool] = everything, *, every_block: bool = False
) -> Iterator[Tuple[Stream, Member, Optional[Entry]]]:
    """The members of an archive, each with the stream that its content is to be read from.

    With `every_block` nothing is passed over by seeking, and what is left at the end is read too.
    """
    stream = Stream(archive, report, jumps=not every_block)
    with contextlib.closing(Catalog(archive, report)) as catalog:
        for member, entry in members(stream, catalog, wanted, report):
            yield stream, member, entry
    if every_block:
        stream.drain()


class Content(NamedTuple):
    size: int  # of the file
    trouble: str  # why it is not whole; empty where it is


def read_content(
    stream: Stream, member: Member, entry: Optional[Entry], write: Callable[[int, bytes], None]
) -> Content:
    """Read a regular member's content, give each piece to `write` with its place in the file, compare the SHA-256."""
    short = entry.valid if entry and entry.flags & SHORT else None
    digest, digest_of_valid, seen, lost = hashlib.sha256(), hashlib.sha256(), 0, 0
    size, extents, stored = member.size, [(0, member.size)], 0
    if any(key.startswith(b"GNU.sparse.") for key in member.pax):
        if (member.pax.get(b"GNU.sparse.major"), member.pax.get(b"GNU.sparse.minor")) != (b"1", b"0"):
            raise Damaged("a sparse file in another format than 1.0")
        size = decimal(member.pax.get(b"GNU.sparse.realsize", b""))
        try:
            sparse_map, extents = read_sparse_map(stream, member.size, size)
        except Gap:
            return Content(0, "the map of its parts is lost")
        digest.update(sparse_map)
        stored = len(sparse_map)
    if stored + sum(length for _, length in extents) != member.size:
        return Content(0, "the map of its parts is wrong")
    for start, length in extents:
        place = start
        for count, piece in stream.pieces(length):
            if piece is None:
                lost += count
            else:
                digest.update(piece)
                digest_of_valid.update(piece[: max(0, (short or 0) - seen)])
                write(place, piece)
            place += count
            seen += count
    # Of a file that became short while it was saved, the digest may be of the real bytes or of the filled-up content.
    right = [digest.digest()] if short is None else [digest.digest(), digest_of_valid.digest()]
    if lost:
        return Content(size, f"{lost} of its {member.size} bytes are lost")
    if entry and any(entry.sha256) and entry.sha256 not in right:
        return Content(size, "its SHA-256 is not the one in the catalog")
    return Content(size if short is None else min(short, size), "")


def read_sparse_map(stream: Stream, most: int, size: int) -> Tuple[bytes, List[Tuple[int, int]]]:
    """The map of a sparse file (GNU format 1.0): its bytes, and where each piece of the data belongs."""
    sparse_map, numbers, rest = bytearray(), array.array("Q"), b""
    while not numbers or len(numbers) < 1 + 2 * numbers[0]:
        if len(sparse_map) + 512 > most or len(rest) > DIGITS:
            raise Damaged("a sparse file with a map that does not end")
        block = stream.exactly(512)
        sparse_map += block
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if not numbers or len(numbers) < 1 + 2 * numbers[0]:
                numbers.append(decimal(line))
        if numbers and numbers[0] > MOST_EXTENTS:
            raise Damaged("a sparse file with a map of too many parts")
    extents, end = [], 0
    for i in range(1, len(numbers), 2):
        if numbers[i] < end or numbers[i] + numbers[i + 1] > size:
            raise Damaged("a sparse file with a map that makes no sense")
        end = numbers[i] + numbers[i + 1]
        extents.append((numbers[i], numbers[i + 1]))
    return bytes(sparse_map), extents


# === Deltas: what stands in earlier archives (section 11) ========================================================

MOST_DELTAS = 1000
MOST_CHAIN_EXTENTS = 1 << 23
MOST_PIECES = 1 << 24
SORTED_PIECES = 1 << 16  # so many are read in the order of the medium
PIECE = struct.Struct("<QQQ")
LITERAL, FROM_BASE, ZEROS = 0, 1, 2


class Layer:
    """A member as one archive has it: its extents, and the member below that those from the base are taken from."""

    def __init__(self, archive: Archive, member: Member) -> None:
        self.archive, self.member = archive, member
        self.size, self.most = 0, MOST_CHAIN_EXTENTS
        self.base: Optional[Tuple[bytes, int]] = None  # archive and offset
        self.sha256 = b""
        self.starts, self.kinds, self.offsets = array.array("Q"), array.array("B"), array.array("Q")

    def add(self, kind: int, length: int, offset: int) -> None:
        if length:
            self.starts.append(self.size)
            self.kinds.append(kind)
            self.offsets.append(offset)
            self.size += length
        if self.size >= 1 << 63 or len(self.starts) > self.most:
            raise Damaged("a delta with more than any file has")

    def within(self, start: int, length: int) -> Iterator[Tuple[int, int, int, int]]:
        """Kind, place, length and offset of what stands from `start` on."""
        if start + length > self.size:
            raise Damaged("a delta that takes bytes from behind the end of its base")
        i = bisect.bisect_right(self.starts, start) - 1
        while length:
            behind = self.starts[i + 1] if i + 1 < len(self.starts) else self.size
            part = min(length, behind - start)
            yield self.kinds[i], start, part, self.offsets[i] + start - self.starts[i]
            start, length, i = start + part, length - part, i + 1


class Joiner:
    """Brings together what stands in the earlier archives of a cartridge; one member after the other."""

    def __init__(self, archives: List[Archive], archive: Archive, key: Opener, report: Report) -> None:
        self._archive, self._key, self._report = archive, key, report
        self._at: Tuple[bytes, Optional[Stream]] = (b"", None)
        self.bases: List[bytes] = []
        segment = archive.segments[0]
        if segment.header:
            try:
                bases = (segment.header_copy or segment.read_header()).get("bases") or []
                self.bases = [bytes.fromhex(str(base)) for base in bases] if isinstance(bases, list) else []
            except (Damaged, ValueError):
                report.damage(f"file {segment.file}: which archives it builds upon cannot be read")
        self.may_build = bool(self.bases) or not segment.header  # with a lost header anything may stand elsewhere
        self._known = {other.id: other for other in archives if other.id in self.bases or not segment.header}
        self._known[archive.id] = archive

    def entries(self, report: Report, wanted: Callable[[bytes], bool] = everything) -> Iterator[Entry]:
        """What is to be joined, in the order in which it is best read."""
        for number in (*range(1, len(self.bases) + 1), 0):
            with contextlib.closing(Catalog(self._archive, report)) as catalog:
                for entry in catalog.entries():
                    if not entry or entry.flags & ABSENT or not wanted(entry.path):
                        continue
                    if entry.base > len(self.bases) and number == 0:
                        report.damage(f"not restored: {show(entry.path)}: it is in an archive that is not named")
                    elif entry.base == number and (number or entry.flags & DELTA):
                        yield entry

    def whole(self, entry: Entry) -> Tuple[Stream, Member]:
        """A member that an earlier archive holds as it is; the stream stands at its content."""
        stream = self._stream(self.bases[entry.base - 1], entry.offset)
        member = next_member(stream)
        if member.type != REGULAR or member.name != entry.path:
            raise Damaged("another member is in its place")
        return stream, member

    def top(self, entry: Entry) -> Layer:
        """The newest layer of a delta."""
        return self._layer((self.bases[entry.base - 1] if entry.base else self._archive.id, entry.offset), entry.path)

    def join(self, entry: Entry, layer: Layer, fd: int) -> str:
        """The content into a file, from the newest layer down; why it is not whole, or nothing."""
        size, digest = layer.size, layer.sha256
        if entry.offset >= 0 and any(entry.sha256) and entry.size != size:
            raise Damaged(f"it comes to {size} bytes, the catalog says {entry.size}")
        os.ftruncate(fd, size)
        missing, lost, extents, deltas = Missing(size), 0, 0, 0
        with contextlib.closing(missing):
            while True:
                lost += self._fill(layer, missing.found(layer), fd)
                if missing.is_found:
                    break
                extents, deltas = extents + len(layer.starts), deltas + 1
                if layer.base is None or deltas > MOST_DELTAS:
                    raise Damaged("a chain of deltas without an end")
                layer = self._below(layer, layer.base, entry.path, MOST_CHAIN_EXTENTS - extents)
        if lost:
            return f"{lost} of its {size} bytes are lost"
        found, at = hashlib.sha256(), 0
        while at < size:
            piece = os.pread(fd, MIB, at)
            found.update(piece)
            at += len(piece)
        wished = entry.sha256 if any(entry.sha256) else digest
        return "" if found.digest() == wished else "its SHA-256 is not the one in the catalog"

    def _below(self, layer: Layer, base: Tuple[bytes, int], path: bytes, most: int) -> Layer:
        """The layer that one builds upon, of at most so many extents."""
        below = self._known.get(base[0])
        if below is None:
            raise Damaged("an archive that it builds upon is not on this cartridge")
        if below.segments[0].file >= layer.archive.segments[0].file:
            raise Damaged("it builds upon an archive that is no earlier one")
        return self._layer(base, path, most)

    def _fill(self, layer: Layer, places: Iterator[Tuple[int, int, int]], fd: int) -> int:
        """What stands in a layer into the file; how many bytes of it are lost."""
        lost = 0
        for start, length, offset in places:
            at = start
            for count, piece in self._stream(layer.archive.id, offset).pieces(length):
                if piece is None:
                    lost += count
                else:
                    os.pwrite(fd, piece, at)
                at += count
        return lost

    def _stream(self, archive: bytes, offset: int) -> Stream:
        """The stream of an archive at an offset; the medium stands there, and nowhere else."""
        name, stream = self._at
        if stream is None or name != archive or stream.pos > offset:
            found = self._known.get(archive)
            if found is None:
                raise Damaged("the archive that it is in is not on this cartridge")
            found.unlock(self._key)
            stream = Stream(found, self._report)
            self._at = (archive, stream)
        stream.skip_to(offset)
        return stream

    def _layer(self, place: Tuple[bytes, int], path: bytes, most: int = MOST_CHAIN_EXTENTS) -> Layer:
        try:
            return self._read_layer(place, path, most)
        except Gap:
            raise Damaged("the map of what changed in it is lost") from None

    def _read_layer(self, place: Tuple[bytes, int], path: bytes, most: int) -> Layer:
        stream = self._stream(*place)
        member = next_member(stream)
        layer = Layer(self._known[place[0]], member)
        if b"TAPEKIT.delta" not in member.pax:
            if member.type != REGULAR or member.pax.get(b"GNU.sparse.name", member.name) != path:
                raise Damaged("another member is in the place of its base")
            extents, size = [(0, member.size)], member.size
            if b"GNU.sparse.major" in member.pax:
                size = decimal(member.pax.get(b"GNU.sparse.realsize", b""))
                _, extents = read_sparse_map(stream, member.size, size)
            at = stream.pos
            for start, length in extents:
                layer.add(ZEROS, start - layer.size, 0)
                layer.add(LITERAL, length, at)
                at += length
            layer.add(ZEROS, size - layer.size, 0)
            return layer
        layer.most = most
        number = 1
        while True:
            pax = member.pax
            base = (bytes.fromhex(pax.get(b"TAPEKIT.base", b"").decode("ascii", "replace")),
                    decimal(pax.get(b"TAPEKIT.base_offset", b"")))  # fmt: skip
            layer.base = layer.base or base
            here = (pax.get(b"TAPEKIT.path", b""), decimal(pax.get(b"TAPEKIT.delta", b"")),
                    decimal(pax.get(b"TAPEKIT.at", b"")), base)  # fmt: skip
            if here != (path, number, layer.size, layer.base):
                raise Damaged(f"part {number} of what changed in it is missing, or another one is in its place")
            read_part(stream, member, layer)
            if pax.get(b"TAPEKIT.last") == b"1":
                layer.sha256 = bytes.fromhex(pax.get(b"TAPEKIT.sha256", b"").decode("ascii", "replace"))
                return layer
            number += 1
            member = next_member(stream)
            if b"TAPEKIT.delta" not in member.pax:
                raise Damaged(f"part {number} of what changed in it is missing")


def next_member(stream: Stream) -> Member:
    """The member that begins here; there has to be one."""
    raw = read_headers(stream)
    if not raw:
        raise Damaged("the archive ends before what belongs to it")
    return parse_member(raw)


def read_part(stream: Stream, member: Member, layer: Layer) -> None:
    """The map of a part of a delta; the stream goes on behind the part."""
    magic, count = struct.unpack(">4sI", stream.exactly(8)) if member.size >= 8 else (b"", 0)
    mapped = 8 + 17 * count
    if magic != b"TKD1" or count > MOST_EXTENTS or mapped > member.size:
        raise Damaged("a map of what changed that makes no sense")
    at = stream.pos - 8 + mapped
    end = stream.pos - 8 + member.size
    for kind, length, offset in struct.iter_unpack(">BQQ", stream.exactly(mapped - 8)):
        if kind > ZEROS or (offset and kind != FROM_BASE):
            raise Damaged("a map of what changed that makes no sense")
        layer.add(kind, length, at if kind == LITERAL else offset)
        at += length if kind == LITERAL else 0
    if at != end:
        raise Damaged("a map of what changed that does not add up")
    stream.skip_to(end + -member.size % 512)


class Missing:
    """What of a file is still to be found, layer after layer; it waits in a file, and is never held as a whole."""

    def __init__(self, size: int) -> None:
        self._count = 0
        self._pieces = tempfile.SpooledTemporaryFile(4 * MIB)  # noqa: SIM115
        self.is_found = not size
        self._pieces.write(PIECE.pack(0, size, 0) if size else b"")

    def close(self) -> None:
        self._pieces.close()

    def found(self, layer: Layer) -> Iterator[Tuple[int, int, int]]:
        """What stands in a layer: place in the file, length, offset in its stream; the rest is wanted of the next."""
        here: List[Tuple[int, int, int]] = []
        below = tempfile.SpooledTemporaryFile(4 * MIB)  # noqa: SIM115
        try:
            for start, size, source in self._all():
                for kind, place, length, offset in layer.within(source, size):
                    self._count += 1
                    if self._count > MOST_PIECES:
                        raise Damaged("a chain of deltas with too many pieces")
                    if kind == LITERAL:
                        here.append((start + place - source, length, offset))
                    elif kind == FROM_BASE:
                        below.write(PIECE.pack(start + place - source, length, offset))
                    if len(here) == SORTED_PIECES:
                        yield from sorted(here, key=lambda piece: piece[2])
                        here.clear()
            yield from sorted(here, key=lambda piece: piece[2])
        except BaseException:
            below.close()
            raise
        self._pieces.close()
        self._pieces, self.is_found = below, not below.tell()

    def _all(self) -> Iterator[Tuple[int, int, int]]:
        self._pieces.seek(0)
        while True:
            data = self._pieces.read(PIECE.size * 4096)
            if not data:
                return
            yield from PIECE.iter_unpack(data)


# === Putting files back ==========================================================================================
# Nothing is ever written outside the target, whatever the names say: every path is walked from the target on, one
# component at a time, and a symbolic link on the way is refused. Nothing that is there already is replaced.

ACL_TAGS = {b"user": (0x01, 0x02), b"group": (0x04, 0x08), b"mask": (0x10, 0x10), b"other": (0x20, 0x20)}
"""Without and with an id (linux/posix_acl.h)."""
NO_ID = 0xFFFFFFFF
MOST_LEVELS = 4096
"""Deeper trees are nobody's files: they are made to keep a computer busy."""


def acl_attribute(text: bytes) -> bytes:
    """A POSIX ACL in text form as the kernel takes it: version 2, then tag, permissions and id, little-endian."""
    entries = []
    for part in filter(None, re.split(rb"[,\n]", text)):
        match = re.fullmatch(rb"(user|group|mask|other):([0-9]{0,10}):([r-])([w-])([x-])", part)
        if not match or int(match[2] or 0) >= NO_ID:
            return text  # which the kernel refuses
        permissions = sum(bit for bit, letter in zip((4, 2, 1), match.groups()[2:]) if letter != b"-")
        entries.append((ACL_TAGS[match[1]][bool(match[2])], permissions, int(match[2] or NO_ID)))
    entries.sort(key=lambda entry: (entry[0], entry[2]))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def attributes_of(member: Member) -> Iterator[Tuple[bytes, bytes]]:
    """The extended attributes, ACLs among them, as the kernel takes them."""
    for key, value in member.pax.items():
        if key.startswith(b"SCHILY.xattr.") and not key.startswith(b"SCHILY.xattr.system.posix_acl"):
            # A = in a name would end the pax keyword: it is spelt %3D, and so a % is %25.
            yield re.sub(rb"%(3D|25)", lambda match: b"=" if match[1] == b"3D" else b"%", key[13:]), value
        elif key in (b"SCHILY.acl.access", b"SCHILY.acl.default") and value:
            yield b"system.posix_acl_" + key[11:], acl_attribute(value)


def components(name: bytes) -> List[bytes]:
    parts = name.rstrip(b"/").split(b"/")
    if b"\0" in name or any(part in (b"", b".", b"..") for part in parts):
        raise Refused("its name could lead outside the target")
    if len(parts) > MOST_LEVELS:
        raise Refused(f"its path has more than {MOST_LEVELS} levels")
    return parts


class Target:
    """The directory that files are put back into."""

    def __init__(self, path: str) -> None:
        try:
            os.makedirs(path, exist_ok=True)
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise Problem(f"{show(path)}: {error.strerror}") from None
        self._held: Tuple[List[bytes], int] = ([], os.dup(self._root))

    def directory(self, parts: List[bytes], *, make: bool = True) -> int:
        """A descriptor of a directory below the target, good until the next call. Missing ones are made."""
        if parts == self._held[0]:
            return self._held[1]
        here = os.dup(self._root)
        try:
            for part in parts:
                try:
                    below = self._enter(part, here)
                except FileNotFoundError:
                    if not make:
                        raise
                    os.mkdir(part, 0o700, dir_fd=here)
                    below = self._enter(part, here)
                os.close(here)
                here = below
        except BaseException:
            os.close(here)
            raise
        os.close(self._held[1])
        self._held = (list(parts), here)
        return here

    @staticmethod
    def _enter(part: bytes, here: int) -> int:
        try:
            return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise Refused(f"{show(part)}, which leads to it, is not a directory") from None
            raise

    def place(self, name: bytes) -> Tuple[int, bytes]:
        """Where a new member goes: the descriptor of its directory, and its name there."""
        parts = components(name)
        parent = self.directory(parts[:-1])
        if exists(parent, parts[-1]):
            raise Refused("something of that name is there already")
        return parent, parts[-1]


def exists(parent: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


class Draft:
    """A file while it is filled, under a name of its own: it gets the right one when it is whole.

    A file that was saved in parts (a pipe, whose size was not known) is one draft, filled part by part.
    """

    def __init__(self, target: Target, name: bytes, member: Member) -> None:
        parent, self._place = target.place(name)
        self.name, self.member = name, member
        self.next_part = 1
        self.trouble = ""  # why it is not whole
        self.notes: List[str] = []
        self._base = 0  # where in the file the part begins that is being filled
        self._draft = b".rescue-%d.part" % os.getpid()
        self._parent = os.dup(parent)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self.fd = os.open(self._draft, flags, 0o600, dir_fd=self._parent)
        except BaseException:
            os.close(self._parent)
            raise

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self.fd, view, self._base + offset)
            offset, view = offset + count, view[count:]

    def end_part(self, size: int) -> None:
        self._base += size
        os.ftruncate(self.fd, self._base)

    def keep(self) -> bytes:
        """Give the file its name; a damaged one gets .damaged behind it. Returns the last part of its path."""
        name, number = self._place, 1
        while self.trouble and (number == 1 or exists(self._parent, name)):
            ending = b".damaged" if number == 1 else b".damaged-%d" % number
            name, number = self._place[: 255 - len(ending)] + ending, number + 1
        os.rename(self._draft, name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        self._draft = b""
        return name

    def close(self) -> None:
        if self._draft:
            os.unlink(self._draft, dir_fd=self._parent)
        os.close(self.fd)
        os.close(self._parent)


class Restorer:
    """Puts members back into a target directory."""

    def __init__(self, target: Target, report: Report, *, devices: bool, by_name: bool) -> None:
        self._target, self._report = target, report
        self._devices, self._by_name = devices, by_name
        self._is_root = os.geteuid() == 0
        if not self._is_root:
            report.note("not run as root: the files will belong to you; other people's set-id bits, and attributes "
                        "other than user.*, are left out")  # fmt: skip
        self.count = 0
        self.deltas: List[Tuple[int, bytes]] = []  # place and path of those that only the stream tells of
        self._draft: Optional[Draft] = None
        self._directories = tempfile.TemporaryFile()  # noqa: SIM115  headers of directories, which are finished last
        self._directory_places = array.array("Q")

    def put_back(self, stream: Stream, member: Member, entry: Optional[Entry]) -> None:
        with self._reported(member.name):
            if b"TAPEKIT.delta" in member.pax or (entry and entry.flags & DELTA):
                if not entry and member.pax.get(b"TAPEKIT.delta") == b"1":  # no catalog tells of it: it is joined last
                    self.deltas.append((stream.pos - len(member.raw), member.pax.get(b"TAPEKIT.path", b"")))
                return
            if member.type == REGULAR:
                self._file(stream, member, entry)
                return
            self._end_file()
            if member.type == DIRECTORY:
                self._directory(member, entry)
            elif member.type == HARD_LINK:
                self._hard_link(member)
            else:
                self._special(member)

    def put_joined(self, joiner: Joiner, entry: Entry) -> None:
        """A member that stands in an earlier archive, or a file of which only what changed stands in this one."""
        with self._reported(entry.path):
            try:
                if entry.type == "h":
                    link = Member(entry.path, HARD_LINK, entry.mode, 0, 0, b"", b"", 0, entry.mtime_ns, None,
                                  entry.link, (0, 0), {}, b"")  # fmt: skip
                    self._hard_link(link)
                elif not entry.flags & DELTA:
                    self._file(*joiner.whole(entry), entry)
                else:
                    self._delta(joiner, entry)
            except Gap:
                self._report.damage(f"not restored: {show(entry.path)}: a part of it is lost")

    @contextlib.contextmanager
    def _reported(self, name: bytes) -> Iterator[None]:
        """What cannot be put back is reported, and the next one comes. Raises Problem where nothing can be."""
        try:
            yield
        except (Refused, Damaged, OverflowError, ValueError) as error:  # the last two: numbers that no system can take
            self._report.damage(f"not restored: {show(name)}: {error}")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
                raise Problem(f"{show(name)}: cannot be written: {error.strerror}") from None
            self._report.damage(f"not restored: {show(name)}: {error.strerror}")

    def _delta(self, joiner: Joiner, entry: Entry) -> None:
        self._end_file()
        top = joiner.top(entry)
        draft = Draft(self._target, entry.path, top.member._replace(name=entry.path, size=top.size))
        try:
            draft.trouble = joiner.join(entry, top, draft.fd)
            if not draft.trouble:
                self._set_metadata(draft.member, fd=draft.fd)
                self.count += 1
            name = show(draft.keep())
            if draft.trouble:
                what = f"damaged: {show(entry.path)}: {draft.trouble}"
                self._report.damage(f"{what}; what is left of it is in {name}, with zeros in place of what is lost")
        finally:
            draft.close()

    def finish(self) -> None:
        """End what is begun; then the directories' owners, modes and times, from the last to the first."""
        self._end_file()
        for place in reversed(self._directory_places):
            self._directories.seek(place)
            (size,) = struct.unpack(">I", self._directories.read(4))
            member = parse_member(self._directories.read(size))
            try:
                self._set_metadata(member, fd=self._target.directory(components(member.name), make=False))
            except (Refused, OSError) as error:
                self._report.damage(f"{show(member.name)}: not finished: {error}")
        self._directories.close()

    def _file(self, stream: Stream, member: Member, entry: Optional[Entry]) -> None:
        """A regular file, or a part of one."""
        is_part = b"TAPEKIT.part" in member.pax
        name = member.pax.get(b"TAPEKIT.path", b"") if is_part else member.name
        number = decimal(member.pax[b"TAPEKIT.part"]) if is_part else 1
        if self._draft and (not is_part or self._draft.name != name):
            self._end_file()
        draft = self._draft = self._draft or Draft(self._target, name, member)
        if number != draft.next_part:
            draft.trouble = f"part {draft.next_part} of it is missing"
        draft.next_part = number + 1
        try:
            content = read_content(stream, member, entry, draft.write)
            draft.end_part(content.size)
        except BaseException:
            self._draft = None
            draft.close()
            raise
        draft.trouble = draft.trouble or content.trouble
        if entry and entry.flags & SHORT:
            why = show(entry.note) or "it became shorter meanwhile"
            draft.notes.append(f"{show(member.name)}: only {content.size} of its {entry.size} bytes were saved: {why}")
        if not is_part or member.pax.get(b"TAPEKIT.last") == b"1":
            self._end_file(is_whole=True)

    def _end_file(self, *, is_whole: bool = False) -> None:
        if self._draft is None:
            return
        draft, self._draft = self._draft, None
        try:
            if not is_whole:
                draft.trouble = draft.trouble or "its last part is missing"
            if not draft.trouble:
                self._set_metadata(draft.member, fd=draft.fd)
                self.count += 1
            name = show(draft.keep())
            if draft.trouble:
                what = f"damaged: {show(draft.name)}: {draft.trouble}"
                self._report.damage(f"{what}; what is left of it is in {name}, with zeros in place of what is lost")
            for note in draft.notes:
                self._report.damage(note)
        finally:
            draft.close()

    def _directory(self, member: Member, entry: Optional[Entry]) -> None:
        self._target.directory(components(member.name))
        self._directory_places.append(self._directories.seek(0, os.SEEK_END))
        self._directories.write(struct.pack(">I", len(member.raw)) + member.raw)
        self.count += 1
        if entry and entry.flags & SHORT:
            self._report.damage(f"{show(member.name)}: not all that was in it was saved: {show(entry.note)}")

    def _hard_link(self, member: Member) -> None:
        first = components(member.link)
        try:
            first_parent = os.dup(self._target.directory(first[:-1], make=False))
        except FileNotFoundError:
            raise Refused(f"it is another name of {show(member.link)}, which was not restored") from None
        try:
            if not exists(first_parent, first[-1]):
                raise Refused(f"it is another name of {show(member.link)}, which was not restored")
            parent, name = self._target.place(member.name)
            os.link(first[-1], name, src_dir_fd=first_parent, dst_dir_fd=parent, follow_symlinks=False)
            self.count += 1
        finally:
            os.close(first_parent)

    def _special(self, member: Member) -> None:
        """Symbolic link, FIFO or device."""
        if member.type in (CHARACTER, BLOCK_DEVICE) and not (self._devices and self._is_root):
            self._report.note(f"left out: {show(member.name)}: a device (root with --devices makes them)")
            return
        parent, name = self._target.place(member.name)
        if member.type == SYMLINK:
            os.symlink(member.link, name, dir_fd=parent)
        elif member.type == FIFO:
            os.mkfifo(name, 0o600, dir_fd=parent)
        else:
            kind = stat.S_IFCHR if member.type == CHARACTER else stat.S_IFBLK
            os.mknod(name, kind | 0o600, os.makedev(*member.device), dir_fd=parent)
        self._set_metadata(member, parent=parent, name=name)
        self.count += 1

    def _set_metadata(self, member: Member, *, fd: int = -1, parent: int = -1, name: bytes = b"") -> None:
        """Owner, mode, attributes, times: in this order, for a change of one takes back a later one.

        Through an open descriptor, or (links, FIFOs, devices) by name in its directory. What fails is reported.
        """
        where: Any = fd if fd >= 0 else name
        path: Any = fd if fd >= 0 else b"/proc/self/fd/%d/%s" % (parent, name)
        how: Dict[str, Any] = {} if fd >= 0 else {"dir_fd": parent, "follow_symlinks": False}

        def attempt(what: str, step: Callable[..., None], *arguments: object, **options: object) -> bool:
            try:
                step(*arguments, **options)
            except (OSError, OverflowError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                self._report.damage(f"{show(member.name)}: its {what} could not be set: {why}")
                return False
            return True

        uid, gid = self._owner(member)
        if not self._is_root and uid == os.geteuid() and gid in (os.getegid(), *os.getgroups()):
            uid = -1  # stays what it is
        owned = (self._is_root or uid == -1) and attempt("owner", os.chown, where, uid, gid, **how)
        if member.type != SYMLINK:
            mode = member.mode if owned else member.mode & 0o1777  # set-id bits only for the right owner
            attempt("mode", os.chmod, where, mode, **({} if fd >= 0 else {"dir_fd": parent}))
        for attribute, value in attributes_of(member):
            if self._is_root or attribute.startswith((b"user.", b"system.")):
                attempt(show(attribute), os.setxattr, path, attribute, value, follow_symlinks=fd >= 0)
        atime_ns = member.mtime_ns if member.atime_ns is None else member.atime_ns
        attempt("times", os.utime, where, ns=(atime_ns, member.mtime_ns), **how)

    def _owner(self, member: Member) -> Tuple[int, int]:
        uid, gid = member.uid, member.gid
        if self._by_name:
            with contextlib.suppress(KeyError, ValueError):
                uid = pwd.getpwnam(os.fsdecode(member.user)).pw_uid
            with contextlib.suppress(KeyError, ValueError):
                gid = grp.getgrnam(os.fsdecode(member.group)).gr_gid
        return uid, gid


# === Commands ====================================================================================================


class Wanted:
    """Whether a member is wanted: its path, a directory above it, or a shell pattern for its path was given."""

    def __init__(self, patterns: List[str]) -> None:
        self._wished = [os.fsencode(pattern).strip(b"/") for pattern in patterns]
        self._to_find = set(self._wished)

    def __call__(self, name: bytes) -> bool:
        name, wished = plain_name(name), self._wished
        return not wished or any(name == w or name.startswith(w + b"/") or fnmatch.fnmatchcase(name, w) for w in wished)

    def found(self, member: Member) -> None:
        """A member was put back."""
        if member.type != DIRECTORY:
            self.found_path(plain_name(member.name))

    def found_path(self, path: bytes) -> None:
        self._to_find.discard(path)

    @property
    def settled(self) -> bool:
        """Whether single files were named, and all were found: what is missing elsewhere is none of them."""
        return bool(self._wished) and not self._to_find


def plain_name(name: bytes) -> bytes:
    """Without what tapekit adds to the names of parts and differences."""
    return re.sub(rb"\.tk(part|delta)\.[0-9]{8}$", b"", name.rstrip(b"/"))


def when(mtime_ns: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(mtime_ns // 10**9))
    except (OverflowError, ValueError, OSError):
        return "?"


def command_list(cartridge: Cartridge, archives: List[Archive]) -> None:
    label = cartridge.label
    if label:
        name = show(name_of(label))
        print(f"cartridge {name}, labelled {show(text_of(label, 'labelled'))} by {show(text_of(label, 'tool'))}")
    else:
        print("cartridge without a readable label")
    if not archives:
        print("no archive is on it")
    for number, archive in enumerate(archives, 1):
        segments, first = archive.segments, archive.segments[0]
        print(f"\narchive {number}   {archive}")
        places = (("host", "host"), ("site", "site"), ("paths below", "root"))
        print("  " + ", ".join(f"{what} {first.about(key)}" for what, key in places if first.about(key)))
        trailers = [segment.trailer for segment in segments if segment.trailer]
        if len(trailers) == len(segments):
            size = human(sum(trailer["source_bytes"] for trailer in trailers))
            first_member, last = trailers[0]["first_member"], trailers[-1]
            print(f"  {last['first_member'] + last['members'] - first_member} members, {size}")
        print(f"  {archive.state()}" + ", encrypted" * any(segment.encrypted for segment in segments))
        files = ", ".join(str(segment.file) for segment in segments)
        print(f"  id {archive.id.hex()}, in file {files} of the cartridge")


def mode_text(type_: str, mode: int) -> str:
    kinds = {"d": stat.S_IFDIR, "l": stat.S_IFLNK, "p": stat.S_IFIFO, "c": stat.S_IFCHR, "b": stat.S_IFBLK}
    return stat.filemode(kinds.get(type_, stat.S_IFREG) | mode)


def command_files(archive: Archive, report: Report, wanted: Callable[[bytes], bool]) -> None:
    def show_row(type_: str, mode: int, size: int, mtime_ns: int, text: str) -> None:
        print(f"{mode_text(type_, mode)} {size:12} {when(mtime_ns)} {text}")

    with contextlib.closing(Catalog(archive, report)) as catalog:
        is_whole = all(catalog.entries())
        for entry in catalog.entries() if is_whole else ():
            if entry and wanted(entry.path):
                link = {"l": " -> ", "h": " = "}.get(entry.type, "") + show(entry.link)
                absent = f"   (not saved: {show(entry.note)})" if entry.flags & ABSENT else ""
                show_row(entry.type, entry.mode, entry.size, entry.mtime_ns, show(entry.path) + link + absent)
    if not is_whole:
        report.note("the catalog is not whole: reading the archive itself for its names")
        for _, member, _ in read_archive(archive, report, wanted):
            show_row(CATALOG_TYPES[member.type], member.mode, member.size, member.mtime_ns, show(member.name))


def command_restore(
    archive: Archive, report: Report, wanted: Wanted, to: str, joiner: Joiner, *, devices: bool, by_name: bool
) -> None:
    restorer = Restorer(Target(to), report, devices=devices, by_name=by_name)
    found = False
    try:
        if joiner.may_build:  # first, so that further names of these files find them
            for joined in joiner.entries(report, wanted):
                found, before = True, report.damages
                restorer.put_joined(joiner, joined)
                if report.damages == before:
                    wanted.found_path(joined.path)
        for stream, member, entry in read_archive(archive, report, wanted):
            found, before = True, report.damages
            restorer.put_back(stream, member, entry)
            if report.damages == before:
                wanted.found(member)
        for offset, path in restorer.deltas:
            only = Entry(0, "f", DELTA, 0, b"", 0, 0, 0, 0, offset, bytes(32), path, b"")
            restorer.put_joined(joiner, only)
    finally:
        restorer.finish()
    if not found and not report.damages:
        raise Problem("nothing in the archive fits that name\n  `rescue.py files` shows its names")
    print(f"{restorer.count} restored to {show(to)}")


def command_check(
    cartridge: Cartridge, archives: List[Tuple[int, Archive]], report: Report, key: Opener, there: List[Archive]
) -> None:
    cartridge.check_kit()
    for number, archive in archives:
        before, count = report.damages, 0
        try:
            archive.unlock(key)
        except Problem as error:
            Stream(archive, report).drain()
            report.note(f"archive {number}: only its blocks are checked, not its files: {error}")
            report.key_missing = True
            continue
        for stream, member, entry in read_archive(archive, report, every_block=True):
            count += b"TAPEKIT.delta" not in member.pax
            if member.type == REGULAR:
                try:
                    only = None if b"TAPEKIT.delta" in member.pax else entry
                    trouble = read_content(stream, member, only, lambda *_: None).trouble
                except Damaged as error:
                    trouble = str(error)
                if trouble:
                    report.damage(f"damaged: {show(member.name)}: {trouble}")
        joiner = Joiner(there, archive, key, report)
        if joiner.may_build:
            count += check_joined(joiner, report)
        if not archive.complete:
            report.damage(f"archive {number}: {archive.state()}")
        losses = report.damages - before
        found = f"{losses} damaged or missing" if losses else "all is well"
        print(f"archive {number} ({archive}): {count} members: {found}")


def check_joined(joiner: Joiner, report: Report) -> int:
    """The members of an archive that stand in earlier ones; how many there are."""
    count = 0
    for entry in joiner.entries(report):
        count += 1
        trouble = ""
        try:
            if entry.type == "f" and entry.flags & DELTA:
                with tempfile.TemporaryFile() as draft:
                    trouble = joiner.join(entry, joiner.top(entry), draft.fileno())
            elif entry.type == "f":
                trouble = read_content(*joiner.whole(entry), entry, lambda *_: None).trouble
        except Gap:
            trouble = "a part of it is lost"
        except (Damaged, ValueError, OverflowError) as error:
            trouble = str(error)
        if trouble:
            report.damage(f"damaged: {show(entry.path)}: {trouble}")
    return count


MOST_FILLING = 1 << 30
"""Where an archive ends too early, a tar is not filled up with more than this."""


def command_tar(archive: Archive, report: Report) -> None:
    """The archive as a tar: each member whose headers are there, zeros where its content is lost."""
    out = sys.stdout.buffer
    for stream, member, _ in read_archive(archive, report):
        out.write(member.raw)
        lost = 0
        for length, piece in stream.pieces(member.size + -member.size % 512):
            if piece is not None:
                out.write(piece)
                continue
            if stream.ended and length > MOST_FILLING:
                raise Problem(f"{show(member.name)}: the archive ends within it, and so does the tar")
            lost += length
            for at in range(0, length, MIB):
                out.write(bytes(min(MIB, length - at)))
        if lost:
            report.damage(f"damaged: {show(member.name)}: {lost} of its bytes are lost, zeros stand in their place")
    out.write(bytes(1024))
    out.flush()


COMMANDS = ("list", "files", "restore", "check", "tar")


def parse_arguments(arguments: List[str]) -> argparse.Namespace:
    about = (__doc__ or "").partition("\n\nHow a cartridge is built")[0]
    parser = argparse.ArgumentParser(
        prog="rescue.py",
        usage="rescue.py [list | files | restore | check | tar] DEVICE [OPTION ...] [PATTERN ...]",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--archive", metavar="ID|N|latest", help="which archive (default: the latest; check: all)")
    parser.add_argument("--to", metavar="DIR", help="restore: where the files go; best an empty directory")
    parser.add_argument("--devices", action="store_true", help="restore: make device nodes too (as root)")
    parser.add_argument("--by-name", action="store_true", help="restore: to owners by their names, not by number")
    parser.add_argument("--key", metavar="FILE", help="private key: a key file, the words of a paper key, or: paper")
    parser.add_argument("--passphrase-file", metavar="FILE", help="the passphrase is the first line of FILE")
    parser.add_argument("--keys-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--also", metavar="DEVICE", action="append", default=[], help="a further cartridge, with the rest of an archive"
    )
    parsed = parser.parse_intermixed_args(arguments)
    words = parsed.words if parsed.words and parsed.words[0] in COMMANDS else ["list", *parsed.words]
    parsed.command, parsed.device, parsed.patterns = words[0], words[1] if len(words) > 1 else None, words[2:]
    if parsed.device is None:
        parser.error("which DEVICE? (an image file, a disk /dev/sdX or a tape drive /dev/nst0)")
    if parsed.patterns and parsed.command not in ("files", "restore"):
        parser.error(f"{parsed.command} takes no PATTERN")
    if parsed.command == "restore" and not parsed.to:
        parser.error("where to? restore needs --to DIR")
    return parsed


def fed_by_hand(archive: Archive, first: Cartridge, path: str, report: Report) -> Archive:
    """The archive with all parts that a person has, each asked for again when its turn to be read comes.

    The catalogs are kept from the first time, so that each cartridge is put in twice at most.
    """
    drive, segments = OneDrive(path, first.medium, first.label, report), list(archive.segments)
    cartridge: Optional[Cartridge] = first
    while cartridge is not None:
        for segment in cartridge.segments:
            known = [other.number for other in segments if other is not segment]
            if segment.archive == archive.id and segment.number not in known:
                segment.kept = list(segment.catalog_blocks())
                segment.medium = HandFed(drive, name_of(cartridge.label))
                segments += [segment] if segment not in segments else []
        archive = Archive(segments)
        if not archive.lacks_parts or not drive.another(f"another cartridge of this archive ({archive.state()})"):
            break
        cartridge = drive.cartridge()
    return archive


def run(arguments: argparse.Namespace, report: Report) -> int:
    command = arguments.command
    if command == "tar" and sys.stdout.isatty():
        raise Problem("a tar is not for a terminal: write `rescue.py tar DEVICE > archive.tar`")
    cartridges = [Cartridge(open_medium(path, report), report) for path in [arguments.device, *arguments.also]]
    archives = archives_of([segment for cartridge in cartridges for segment in cartridge.segments])
    if not archives and not cartridges[0].label:
        raise Problem(NOTHING_FOUND)
    if command == "list":
        command_list(cartridges[0], archives)
        return report.exit_code()
    key = Opener(arguments.passphrase_file, arguments.key, arguments.keys_fd)
    if command == "check":
        chosen = [choose(archives, arguments.archive)] if arguments.archive else list(enumerate(archives, 1))
        command_check(cartridges[0], chosen, report, key, archives)
        return report.exit_code()
    number, archive = choose(archives, arguments.archive or "latest")
    of = f" of {len(archives)} (--archive takes another)" if len(archives) > 1 else ""
    report.note(f"archive {number}{of}: {archive}")
    if arguments.archive in (None, "latest"):
        note_later(archives, number, report)
    if archive.lacks_parts and sys.stdin is not None and sys.stdin.isatty():
        archive = fed_by_hand(archive, cartridges[0], arguments.device, report)
    archive.unlock(key)
    wanted = Wanted(arguments.patterns)
    if command == "files":
        command_files(archive, report, wanted)
    elif command == "tar":
        command_tar(archive, report)
        count = sum(1 for _ in Joiner(archives, archive, key, report).entries(report))
        if count:
            report.damage(f"{count} members are not in the tar: they build upon earlier archives; restore joins them")
    else:
        command_restore(archive, report, wanted, arguments.to, Joiner(archives, archive, key, report),
                        devices=arguments.devices, by_name=arguments.by_name)  # fmt: skip
    if not archive.complete:
        (report.note if command == "restore" and wanted.settled else report.damage)(f"this archive: {archive.state()}")
    code = report.exit_code()
    if code == 6:
        report.note(f"done, but with {report.damages} losses (see above)")
    return code


def main() -> int:
    for output in (sys.stdout, sys.stderr):
        if hasattr(output, "reconfigure"):
            output.reconfigure(errors="backslashreplace")
    report = Report()
    try:
        code = run(parse_arguments(sys.argv[1:]), report)
        sys.stdout.flush()
    except Problem as error:
        print(f"rescue.py: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 4
    except KeyboardInterrupt:
        print("rescue.py: stopped", file=sys.stderr)
        return 4
    except (OSError, MemoryError) as error:
        print(f"rescue.py: cannot go on: {error if isinstance(error, OSError) else 'out of memory'}", file=sys.stderr)
        return 4
    return code


if __name__ == "__main__":
    sys.exit(main())
