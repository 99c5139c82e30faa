"""The signature over a trailer."""

import base64
import dataclasses
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from formats import segment
from formats.errors import Damaged
from formats.segment import BlockCounts, DirectoryEntry, Trailer
from tapekit.keys.signature import signed_trailer, signer
from tapekit.keys.site import SiteKey

KEY, OTHER = (SiteKey(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))
ENTRY = DirectoryEntry(
    2, bytes(16).hex(), 0, "nightly", "2026-11-23T21:30:00Z", "2026-11-23T21:40:00Z", "complete", 1, 0, 10, 20,
    bytes(32).hex(),
)  # fmt: skip
TRAILER = Trailer(
    archive=bytes(range(16)).hex(), segment=0, job="nightly", started="2026-11-23T21:30:00Z", state="complete",
    finished="2026-11-23T21:40:00Z", members=1, problems=0, source_bytes=10, stream_bytes=1024, stored_bytes=2000,
    blocks=BlockCounts(1, 1, 0, 1), blocks_sha256=bytes(32).hex(), catalog_block=2, directory=(ENTRY,) * 40,
)  # fmt: skip
DOCUMENT = signed_trailer(TRAILER, KEY, 1 << 20)


def who(document: bytes) -> bytes | None:
    return signer(segment.parse_trailer(document), document)


def test_known_answer() -> None:
    """Ed25519 is deterministic (RFC 8032): this document has one signature by this key for ever."""
    value = json.loads(DOCUMENT)["signature"]["value"]
    covered = b"tapekit trailer 1\0" + segment.build_trailer(TRAILER).replace(b'"signature":null,', b"")
    KEY.private.public_key().verify(base64.b64decode(value), covered)
    assert value == VALUE


VALUE = "TcY+9kOR7VL3+7AZlTWOzOAROJlfjVzV6Mg6/GdqgH98LuQDDJ5Sz5gp1+j4NLciWnAShwYEgsD2aiYrHP1bCQ=="


def test_signed() -> None:
    assert who(DOCUMENT) == KEY.public
    assert who(signed_trailer(TRAILER, None, 1 << 20)) is None


@pytest.mark.parametrize("limit", (2000, 3000, 4001, 9999))
def test_what_does_not_fit_is_dropped_before_it_is_signed(limit: int) -> None:
    document = signed_trailer(TRAILER, KEY, limit)
    assert len(document) <= limit
    assert who(document) == KEY.public
    assert segment.parse_trailer(document).directory_omitted > 0


def test_no_value_can_be_changed() -> None:
    for field in dataclasses.fields(Trailer):
        value = json.loads(DOCUMENT)
        if field.name == "signature":
            continue
        value[field.name] = _other(value[field.name])
        try:
            document = json.dumps(value).encode()
            parsed = segment.parse_trailer(document)
        except Damaged:
            continue
        with pytest.raises(Damaged, match="it is not over this trailer"):
            signer(parsed, document)


def _other(value: object) -> object:
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return {"complete": "aborted"}.get(value, "1" + value[1:])
    return [] if value else {"sequence": 1, "sha256": bytes(32).hex()}


def test_a_key_that_nobody_knows_is_covered_too() -> None:
    document = json.dumps({**json.loads(DOCUMENT), "of_the_future": 1}).encode()
    with pytest.raises(Damaged, match="it is not over this trailer"):
        who(document)


def test_another_key_over_it() -> None:
    value = json.loads(DOCUMENT)
    value["signature"]["key"] = json.loads(signed_trailer(TRAILER, OTHER, 1 << 20))["signature"]["key"]
    with pytest.raises(Damaged):
        who(json.dumps(value).encode())


@pytest.mark.parametrize("text", ("", "?", "AAAA"))
@pytest.mark.parametrize("field", ("key", "value"))
def test_what_is_no_signature(field: str, text: str) -> None:
    value = json.loads(DOCUMENT)
    value["signature"][field] = text
    with pytest.raises(Damaged):
        who(json.dumps(value).encode())


def test_a_newer_kind_says_nothing() -> None:
    value = json.loads(DOCUMENT)
    value["signature"]["kind"] = "ml-dsa-65"
    assert who(json.dumps(value).encode()) is None
