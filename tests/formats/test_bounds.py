"""Bytes that claim much cost little: no giant allocation, no endless loop, no other error than a FormatError."""

import dataclasses
import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from fixtures import vectors
from fixtures.vectors.structures import STRUCTURES, Structure, WrongKey
from formats import block, catalog, delta, document, label, parity, pax, recordlog
from formats.errors import Damaged, FormatError, NewerFormat
from tapekit.errors import KeyNeeded

MIB = 1 << 20
MOST_BYTES = 64 * MIB
VECTORS = vectors.load()
GIANT = (2**31 - 1, 2**31, 2**32 - 1)


def peak_bytes(parse: Callable[[], object]) -> int:
    """What a parser that raises FormatError, or nothing, holds at most."""
    tracemalloc.start()
    try:
        parse()
    except FormatError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("place", (4, 18, 22), ids=("n", "p", "l"))
@pytest.mark.parametrize("claim", GIANT)
def test_catalog_claims(place: int, claim: int) -> None:
    builder = catalog.TableBuilder(0, MIB)
    builder.add(catalog.Entry(b"f", 0, 0, 0, 0, b"", b"", b"", 0, 0, 0, 0, 0, 0, 0, 0, bytes(32), b"path", b""))
    data = bytearray(builder.build())
    data[place : place + 4] = struct.pack(">I", claim)
    with pytest.raises(Damaged):
        catalog.parse_table(bytes(data))
    assert peak_bytes(lambda: catalog.parse_table(bytes(data))) < MIB


@pytest.mark.parametrize("claim", GIANT)
def test_filemark_claims(claim: int) -> None:
    body = struct.pack(">QQI", 8192, 0, claim) + bytes(400)
    data = body + zlib.crc32(body).to_bytes(4, "big")
    with pytest.raises(Damaged):
        recordlog.parse_filemark_table(data)
    assert peak_bytes(lambda: recordlog.parse_filemark_table(data)) < MIB


@pytest.mark.parametrize("claim", GIANT)
def test_delta_claims(claim: int) -> None:
    data = struct.pack(">4sI", b"TKD1", claim) + bytes(400)
    with pytest.raises(Damaged):
        delta.parse(data, 0)
    assert peak_bytes(lambda: delta.parse(data, 0)) < MIB


@pytest.mark.parametrize("claim", GIANT)
def test_parity_claims(claim: int) -> None:
    data = struct.pack(">4sBBHHHIIIQ", b"TKP1", 1, 0, 1, 0, 0, claim, 128, 1, 0) + bytes(3000)
    with pytest.raises(Damaged):
        parity.parse(data)
    assert peak_bytes(lambda: parity.parse(data)) < MIB


@pytest.mark.parametrize("count", (pax.MOST_SPARSE_EXTENTS, pax.MOST_SPARSE_EXTENTS + 1, 2**62))
def test_sparse_map_claims(count: int) -> None:
    data = (b"%d\n0\n1\n" % count).ljust(512, b"\0")
    with pytest.raises(Damaged):
        pax.parse_sparse_map(data, MIB)
    assert peak_bytes(lambda: pax.parse_sparse_map(data, MIB)) < MIB


def test_sparse_map_that_is_not_all_there() -> None:
    whole = pax.sparse_map([(place, 1) for place in range(0, 2000, 2)])
    for size in range(0, len(whole), 512):
        assert pax.parse_sparse_map(whole[:size], 2000) is None
    assert pax.parse_sparse_map(whole, 2000) is not None


@pytest.mark.parametrize(
    "body",
    (
        b"".join(b"7 %03x=\n" % number for number in range(0xFFF)),
        b"99999999999999999999 a=b\n",
        b"9" * MIB,
        b"9" * MIB + b" a=b\n",
        b" " * MIB,
        b"1000000 path=" + b"x" * (1000000 - 14) + b"\n",
        b"1000000 " + b"=" * (1000000 - 9) + b"\n",
    ),
)
def test_pax_records(body: bytes) -> None:
    assert peak_bytes(lambda: pax.parse_pax_records(body)) < 8 * MIB


@pytest.mark.parametrize(
    "text",
    (
        b"[" * MIB,
        b'{"a":' * MIB,
        b"[" * 500_000 + b"]" * 500_000,
        b'{"format":' + b"9" * MIB + b"}",
        b'{"format":-' + b"9" * 4000 + b"}",
        b'{"format":' + b"9" * 4000 + b"}",
        b'{"format":1e' + b"9" * MIB + b"}",
        b'{"format":1.' + b"9" * MIB + b"}",
        b'{"format":1' + b" " * MIB,
        b'"' + b"\\u0000" * 100_000 + b'"',
        b'"\\ud800"',
        b'{"' + b"k" * MIB + b'":1,"' + b"k" * MIB + b'":1}',
    ),
)
def test_json(text: bytes) -> None:
    with pytest.raises((Damaged, NewerFormat)) as caught:
        label.parse(text)
    assert len(str(caught.value)) < 300
    assert peak_bytes(lambda: label.parse(text)) < MOST_BYTES


def test_document_over_the_limit_is_not_even_decoded() -> None:
    data = bytes(document.LARGEST_DOCUMENT_BYTES + 1)
    assert peak_bytes(lambda: label.parse(data)) < MIB


def test_block_is_not_copied() -> None:
    payload = bytes(15 * MIB)
    head = block.BlockHead(3, 0, len(payload), bytes(16), 0, 0, 0, 0, len(payload))
    data = block.seal(block.authenticated(head), payload) + payload
    assert peak_bytes(lambda: (block.parse(data), block.payload(data))) < MIB


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_every_length(structure: Structure) -> None:
    """Cut off anywhere, a structure is damaged."""
    good = [vector for vector in VECTORS if vector.structure == structure.name and vector.expect == vectors.OK]
    for vector in good[:3]:
        sizes = range(len(vector.data)) if len(vector.data) < 1000 else range(0, len(vector.data), 97)
        for size in sizes:
            with pytest.raises(FormatError):
                structure.parse(vector.data[:size], dict(vector.given))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, moved, repeated or left out."""
    value = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(value) + 1)
        match rng.randrange(6):
            case 0:
                value[place : place + 1] = bytes((rng.randrange(256),))
            case 1:
                value[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"))
            case 2:
                del value[place : place + rng.randint(1, 20)]
            case 3:
                value[place:place] = value[place : place + rng.randint(1, 20)]
            case 4:
                value[place:place] = rng.randbytes(rng.randint(1, 9))
            case _:
                value[place : place + 1] = rng.choice((b"9", b"-", b"=", b"\n", b'"', b"[", b"{", b" ", b"\0"))
    return bytes(value)


def resealed(structure: str, data: bytes) -> bytes:
    """With checksum and digest made right again, so that the checks behind them are reached."""
    if structure in ("superblock", "filemark table") and len(data) > 4:
        return data[:-4] + struct.pack(">I", zlib.crc32(data[:-4]))
    if structure == "record header" and len(data) >= 64:
        return data[:60] + struct.pack(">I", zlib.crc32(data[:60])) + data[64:]
    if structure in ("block", "placed block", "payload") and len(data) >= 128:
        return block.seal(data[:64], data[128:]) + data[128:]
    if structure == "pax member" and len(data) >= 512:
        blank = data[:148] + b" " * 8 + data[156:512]
        return blank[:148] + b"%06o\0 " % sum(blank) + data[156:]
    return data


def fuzz(structure: Structure, rounds: int) -> None:
    rng = random.Random(structure.name)
    mine = [v for v in VECTORS if v.structure == structure.name and len(v.data) < 20_000]
    for number in range(rounds):
        vector = mine[number % len(mine)]
        data = mutated(vector.data, rng)
        if rng.random() < 0.7:
            data = resealed(structure.name, data)
        try:
            value = structure.parse(data, dict(vector.given))
        except (Damaged, NewerFormat, KeyNeeded, WrongKey) as error:
            assert len(str(error)) < 500  # noqa: PT017 - to be taken is right too
            continue
        assert structure.parse(structure.build(value), dict(vector.given)) == value


QUICK = tuple(structure for structure in STRUCTURES if structure.name != "passphrase header")
"""Each try of a passphrase takes a scrypt, of up to a gigabyte where the slot says so."""


@pytest.mark.parametrize("structure", QUICK, ids=lambda structure: structure.name)
def test_mutations(structure: Structure) -> None:
    fuzz(structure, 300)


@pytest.mark.long
@pytest.mark.parametrize("structure", QUICK, ids=lambda structure: structure.name)
def test_mutations_long(structure: Structure) -> None:
    fuzz(structure, 40_000)


def cpu_s(parse: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        parse()
        best = min(best, time.process_time() - begun)
    return best


def sparse(n: int) -> Callable[[], object]:
    data = pax.sparse_map([(place, 1) for place in range(0, 2 * n, 2)])
    return lambda: pax.parse_sparse_map(data, 2 * n)


def records(n: int) -> Callable[[], object]:
    body = pax.build_pax_records((b"k%d" % number, b"") for number in range(n))
    return lambda: pax.parse_pax_records(body)


def table(n: int) -> Callable[[], object]:
    entry = catalog.Entry(b"f", 0, 0, 0, 0, b"", b"", b"", 0, 0, 0, 0, 0, 0, 0, 0, bytes(32), b"path", b"link")
    builder = catalog.TableBuilder(0, 1 << 24)
    for number in range(n):
        builder.add(entry._replace(owner=b"%d" % number))
    data = builder.build()
    return lambda: catalog.parse_table(data)


def extents(n: int) -> Callable[[], object]:
    data = delta.build((delta.Extent(2, 1),) * n)
    return lambda: delta.parse(data, n)


def filemark(n: int) -> Callable[[], object]:
    body = struct.pack(f">QQI{n}I", 8192, 0, n, *range(n))
    data = body + zlib.crc32(body).to_bytes(4, "big")
    return lambda: recordlog.parse_filemark_table(data)


@dataclasses.dataclass(frozen=True)
class _Directory:
    entries: tuple[str, ...]


def strings(n: int) -> Callable[[], object]:
    data = document.build(_Directory(tuple(map(str, range(n)))))
    return lambda: document.parse("directory", _Directory, data)


@pytest.mark.long
@pytest.mark.parametrize("make", (sparse, records, table, extents, filemark, strings), ids=lambda make: make.__name__)
def test_eight_times_as_much_takes_no_square(make: Callable[[int], Callable[[], object]]) -> None:
    small, large = cpu_s(make(7_000)), cpu_s(make(56_000))
    assert large < 32 * max(small, 0.001)
