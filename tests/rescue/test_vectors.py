"""The kit reads the format's test vectors as the rest of the project does: two readings of one specification."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from fixtures.vectors import DAMAGED, NEWER, OK, Vector, load

# Refused by others, taken here: a rescue makes the best of what it finds, and these lead to no harm.
TAKEN = {
    "superblock-end-high": "what lies behind the end of the medium is never read",
    "superblock-last-high": "a filemark that is not where it should be is looked for",
    "superblock-last-low": "the same",
    "superblock-last-uneven": "the same",
    "superblock-long": "a unit is read, no more",
    "superblock-reserved-1": "its CRC is right",
    "superblock-reserved-2": "its CRC is right",
    "superblock-size-uneven": "the size is that of the medium",
    "pax-keyword-nul": "a keyword that means nothing",
    "pax-record-no-keyword": "the same",
    "pax-record-twice": "the later one counts, as POSIX has it",
    "pax-linkpath-nul": "refused when the link is made",
    "pax-path-nul": "refused when the member is put back",
    "pax-path-slash": "the same",
    "pax-name-empty": "the same",
    "pax-name-slash": "the same",
    "pax-mtime-64-bits": "refused when the time is set",
    "pax-size-64-bits": "the archive ends before it does",
    "sparse-map-beyond": "the kit is not told the size",
}


class Bytes:
    """A stream that holds a vector."""

    def __init__(self, kit: ModuleType, data: bytes) -> None:
        self._kit, self._data = kit, data

    def exactly(self, size: int) -> bytes:
        piece, self._data = self._data[:size], self._data[size:]
        if len(piece) < size:
            raise self._kit.Gap(None)
        return piece


def read_payload(kit: ModuleType, data: bytes) -> object:
    segment = object.__new__(kit.Segment)
    segment.header = None
    return segment.open(kit.parse_block(data))


def read_member(kit: ModuleType, data: bytes) -> object:
    stream = Bytes(kit, data)
    raw = kit.read_headers(stream)
    member = kit.parse_member(raw) if raw else None
    if member and any(key.startswith(b"GNU.sparse.") for key in member.pax):
        kit.read_content(stream, member, None, lambda *_: None)
    return member


READERS: dict[str, Callable[[ModuleType, bytes], object]] = {
    "block": lambda kit, data: kit.parse_block(data),
    "payload": read_payload,
    "record header": lambda kit, data: kit.parse_record(data, int.from_bytes(data[16:24], "big")),
    "superblock": lambda kit, data: kit.parse_superblock(data),
    "catalog table": lambda kit, data: kit.parse_table(data),
    "sparse map": lambda kit, data: kit.read_sparse_map(Bytes(kit, data), len(data), 1 << 62),
    "pax member": read_member,
}
VECTORS = [vector for vector in load() if vector.structure in READERS]


def outcome(kit: ModuleType, vector: Vector) -> str:
    try:
        return DAMAGED if READERS[vector.structure](kit, vector.data) is None else OK
    except kit.NewerFormat:
        return NEWER
    except (kit.Damaged, kit.Gap):
        return DAMAGED
    except AttributeError:  # the sparse map was read; a vector has no content behind it
        return OK


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_vector(kit: ModuleType, vector: Vector) -> None:
    expected = OK if vector.name in TAKEN else vector.expect
    assert outcome(kit, vector) == expected, vector.why


def test_what_is_taken_is_a_vector() -> None:
    assert set(TAKEN) <= {vector.name for vector in VECTORS if vector.expect != OK}


MEMBER_FIELDS: dict[str, Callable[[ModuleType, Any], object]] = {
    "path": lambda kit, member: member.name.rstrip(b"/"),
    "link": lambda kit, member: member.link,
    "uid": lambda kit, member: member.uid,
    "gid": lambda kit, member: member.gid,
    "owner": lambda kit, member: member.user,
    "group": lambda kit, member: member.group,
    "size_bytes": lambda kit, member: member.size,
    "mtime_ns": lambda kit, member: member.mtime_ns,
    "type": lambda kit, member: member.type,
    "device.0": lambda kit, member: member.device[0],
    "device.1": lambda kit, member: member.device[1],
    "xattrs.0.0": lambda kit, member: next(kit.attributes_of(member))[0],
    "xattrs.0.1": lambda kit, member: next(kit.attributes_of(member))[1],
}


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v.structure == "pax member" and v.expect == OK and v.fields], ids=lambda v: v.name
)
def test_fields_of_a_member(kit: ModuleType, vector: Vector) -> None:
    member = kit.parse_member(kit.read_headers(Bytes(kit, vector.data)))
    for name, text in vector.fields:
        if name in MEMBER_FIELDS and not (name == "size_bytes" and b"GNU.sparse.major" in member.pax):
            value = MEMBER_FIELDS[name](kit, member)
            assert (value.hex() if isinstance(value, bytes) else str(value)) == text, name


# --- what is encrypted: by keys and passphrases that are given beside the bytes ------------------------------------

SECRET = [v for v in load() if v.structure in {"encrypted block", "sealed header", "passphrase header"}]


def opened(kit: ModuleType, vector: Vector) -> dict[str, str]:
    """What the kit makes of it, named as the vector's fields are."""
    given = dict(vector.given)
    if vector.structure == "encrypted block":
        segment = object.__new__(kit.Segment)
        segment.header, segment.file = {"cipher": "AES-256-GCM"}, 2
        data = bytes.fromhex(given["data_key"]) if "data_key" in given else None
        segment.keys = kit.Keys(data, bytes.fromhex(given["catalog_key"]))
        return {"plain": bytes(segment.open(kit.parse_block(vector.data))).hex()}
    opener = kit.Opener(None, "given" if "seed" in given else None, None)
    opener._seed, opener._passphrase = (bytes.fromhex(given.get(name, "")) for name in ("seed", "passphrase"))
    header = kit.parse_document(vector.data)
    keys = opener.unlock(header, bytes.fromhex(header["archive"]), header["segment"])
    return {"keys.data": keys.data.hex() if keys.data else "null", "keys.catalog": keys.catalog.hex()}


@pytest.mark.parametrize("vector", SECRET, ids=[vector.name for vector in SECRET])
def test_secret_vector(kit: ModuleType, vector: Vector) -> None:
    if vector.expect == OK:
        assert opened(kit, vector) == dict(vector.fields)
    else:
        with pytest.raises((kit.Problem, kit.Damaged)):
            opened(kit, vector)
