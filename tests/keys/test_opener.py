"""From a header and a key to a segment's keys, and every way in which that ends elsewhere."""

import dataclasses
import json
from typing import Any

import pytest

from formats import segment
from formats.keyslot import KeySlot
from formats.label import Label
from formats.segment import SegmentHeader
from tapekit.errors import KeyNeeded, KeyRefused, UsageError, VerificationFailed
from tapekit.keys.opener import NO_KEY, InHand, Known
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients, canary, seal_header, sings
from tapekit.keys.segment import Place, SegmentKeys, commit
from tapekit.keys.slot import PrivateKey, for_recipient
from tests.keys.people import pair

OWNER, TECHNICIAN, STRANGER = pair(), Pair.new("technician", "Tom"), Pair.new("owner", "Eve")
KEYS = SegmentKeys.new()
PLAIN = SegmentHeader(
    format=1, archive=bytes(range(16)).hex(), segment=0, job="nightly", site="", host="server",
    started="2026-11-23T21:30:00Z", tool="tests 1", root="/", block_size=65536, cut=65392, stream_start=0,
    sequence_start=0, compression="none",
)  # fmt: skip
SEALED = seal_header(PLAIN, Recipients((OWNER.public_line, TECHNICIAN.public_line)), KEYS)
DOCUMENT = segment.build_header(SEALED)


def opened(by: Pair, document: bytes = DOCUMENT) -> SegmentKeys:
    return InHand(PrivateKey(by)).open(segment.parse_header(document), document)


def changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(DOCUMENT), **changes}).encode()


def test_an_owner_opens_all() -> None:
    found = opened(OWNER)
    assert found.packed() == KEYS.packed()


def test_a_technician_opens_names() -> None:
    found = opened(TECHNICIAN)
    assert found.data is None
    assert found.catalog.content == KEYS.catalog.content


def test_nobody_else_opens_it() -> None:
    with pytest.raises(KeyNeeded, match=r"encrypted for Marie \(owner\), Tom \(technician\), not for the owner key"):
        opened(STRANGER)
    with pytest.raises(KeyNeeded, match="no key was given"):
        NO_KEY.open(SEALED, DOCUMENT)


def test_keys_in_memory_open_their_archive_alone() -> None:
    assert Known(PLAIN.archive, {0: KEYS}).open(SEALED, DOCUMENT) is KEYS
    with pytest.raises(KeyNeeded):
        Known("0" * 32, {0: KEYS}).open(SEALED, DOCUMENT)
    with pytest.raises(VerificationFailed):
        Known(PLAIN.archive, {0: SegmentKeys.new()}).open(SEALED, DOCUMENT)


@pytest.mark.parametrize("by", (OWNER, TECHNICIAN), ids=("owner", "technician"))
@pytest.mark.parametrize(
    "key", [f.name for f in dataclasses.fields(SegmentHeader) if f.name not in {"format", "commitment"}]
)
def test_no_value_of_the_header_can_be_changed(by: Pair, key: str) -> None:
    other: dict[str, Any] = {
        "archive": bytes(16).hex(), "slots": json.loads(DOCUMENT)["slots"][::-1], "block_size": 131072, "cut": 60000,
        "started": "2026-11-23T21:30:01Z", "cipher": "AES-256-GCM-SIV", "bases": [bytes(16).hex()],
        "parity": {"scheme": "rs8", "k": 2, "m": 1, "lanes": 1, "shard": 100}, "stream_start": 65392, "segment": 1,
        "previous": [{"cartridge": bytes(16).hex(), "name": "x", "trailer_sha256": bytes(32).hex(),
                      "stream_start": 0, "first_member": 0}], "sequence_start": 1,
    }  # fmt: skip
    with pytest.raises((VerificationFailed, KeyRefused)):
        opened(by, changed(**{key: other.get(key, "other")}))


def test_a_key_that_this_program_does_not_know_is_covered_too() -> None:
    with pytest.raises(VerificationFailed, match="it was changed; nothing was decrypted"):
        opened(OWNER, changed(of_the_future=1))


@pytest.mark.parametrize("commitment", (None, {"data": "", "catalog": ""}, {"data": "é", "catalog": "é"}), ids=str)
def test_a_commitment_that_is_none(commitment: object) -> None:
    with pytest.raises(VerificationFailed):
        opened(OWNER, changed(commitment=commitment))


def test_each_half_of_the_commitment_counts() -> None:
    both = json.loads(DOCUMENT)["commitment"]
    for half in both:
        with pytest.raises(VerificationFailed):
            opened(OWNER, changed(commitment={**both, half: both["data" if half == "catalog" else "catalog"]}))


def test_slots_of_another_archive_do_not_open() -> None:
    """Each as it was, under a header whose commitment would be right."""
    other = dataclasses.replace(PLAIN, archive=bytes(16).hex())
    document = segment.build_header(dataclasses.replace(SEALED, archive=other.archive))
    with pytest.raises(KeyRefused, match="does not open it"):
        opened(OWNER, document)


def test_a_technicians_slot_never_gives_data() -> None:
    """Nor does an owner's give names alone: what a slot wraps is what its role says."""
    assert [len(slot.wrapped) for slot in SEALED.slots if slot.role == "technician"] == [64]  # 32 bytes and a tag
    for pair_, packed in ((TECHNICIAN, KEYS.packed()), (OWNER, KEYS.packed()[32:])):
        made = for_recipient(packed, pair_.public_line, Place.of(PLAIN))
        header = dataclasses.replace(SEALED, slots=(made,), commitment=None)
        document = segment.build_header(dataclasses.replace(header, commitment=commit(header, KEYS)))
        with pytest.raises(KeyRefused, match="does not open it"):
            opened(pair_, document)


def test_newer_slots() -> None:
    newer = KeySlot("of the future", "", "", "")
    document = segment.build_header(dataclasses.replace(SEALED, slots=(newer,)))
    with pytest.raises(KeyRefused, match="of kinds that this program does not know"):
        opened(OWNER, document)
    with pytest.raises(KeyNeeded, match="in ways that this program does not know"):
        opened(STRANGER, segment.build_header(dataclasses.replace(SEALED, slots=(newer, SEALED.slots[1]))))


def test_a_newer_slot_beside_ones_own_is_skipped() -> None:
    slots = [{"kind": "of the future", "anything": 1}, *json.loads(DOCUMENT)["slots"]]
    with pytest.raises(VerificationFailed):  # added later; the slot opened all the same
        opened(OWNER, changed(slots=slots))


# --- whom to write for --------------------------------------------------------------------------------------------


def test_technicians_alone_are_not_enough() -> None:
    with pytest.raises(KeyRefused, match="nobody would get the data back"):
        seal_header(PLAIN, Recipients((TECHNICIAN.public_line,)), KEYS)


def test_too_many() -> None:
    with pytest.raises(UsageError, match="limit 32"):
        seal_header(PLAIN, Recipients((OWNER.public_line,) * 33), KEYS)


def test_the_canary_sings_for_who_opens_data() -> None:
    slots = canary(bytes(16).hex(), (OWNER.public_line, TECHNICIAN.public_line))
    label = _label(slots)
    assert sings(label, PrivateKey(OWNER))
    assert not sings(label, PrivateKey(TECHNICIAN))
    assert not sings(label, PrivateKey(STRANGER))
    assert not sings(dataclasses.replace(label, cartridge=bytes(range(16)).hex()), PrivateKey(OWNER))
    other = dataclasses.replace(slots[0], sha256=bytes(32).hex())
    assert not sings(_label((other,)), PrivateKey(OWNER))
    assert not sings(_label(()), PrivateKey(OWNER))


def _label(slots: tuple[KeySlot, ...]) -> Label:
    return Label(1, bytes(16).hex(), "WED-1", None, "2026-11-23T21:30:00Z", "tests 1", 65536, bytes(32).hex(), slots)


def test_nothing_shows_keys() -> None:
    shown = f"{KEYS!r} {Known('', {0: KEYS})!r} {OWNER!r}"
    for part in (KEYS.packed()[:32], KEYS.packed()[32:], bytes(OWNER.secret.content)):
        assert part.hex() not in shown
        assert repr(part)[2:-1] not in shown


def test_wiped() -> None:
    keys = SegmentKeys.new()
    keys.wipe()
    assert keys.packed() == b""
