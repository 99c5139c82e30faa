"""Key slots: what opens them, and that nothing else does."""

import base64
import dataclasses
import hashlib
import hmac
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from formats.keyslot import KeySlot
from tapekit.errors import KeyRefused
from tapekit.keys import slot
from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret
from tapekit.keys.segment import Place
from tapekit.keys.slot import Passphrase, PrivateKey
from tests.keys.people import pair

KEYS = bytes(range(64))
PLACE = Place(bytes(range(16)), 7)
ELSEWHERE = (Place(bytes(16), 7), Place(bytes(range(16)), 8))
KEY = PrivateKey(pair())
MADE = slot.for_recipient(KEYS, pair().public_line, PLACE)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "LOG2_N", 15)


def flipped(found: KeySlot, field: str, bit: int) -> KeySlot:
    data = bytearray(base64.b64decode(getattr(found, field)))
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    return dataclasses.replace(found, **{field: base64.b64encode(data).decode()})  # type: ignore[arg-type]


def test_a_private_key_opens_its_slot() -> None:
    assert KEY.fits(MADE)
    assert KEY.unwrap(MADE, PLACE) == KEYS
    assert (MADE.kind, MADE.role, MADE.name) == ("hpke", "owner", "Marie")


def test_no_two_slots_are_alike() -> None:
    assert slot.for_recipient(KEYS, pair().public_line, PLACE) != MADE


def test_another_key_does_not() -> None:
    other = PrivateKey(Pair.new("owner", "Marie"))
    assert not other.fits(MADE)
    assert other.unwrap(MADE, PLACE) is None


@pytest.mark.parametrize("place", ELSEWHERE, ids=("archive", "segment"))
def test_a_slot_opens_nowhere_else(place: Place) -> None:
    assert KEY.unwrap(MADE, place) is None


def test_a_slot_opens_for_no_other_role() -> None:
    assert KEY.unwrap(dataclasses.replace(MADE, role="recovery"), PLACE) is None


@pytest.mark.parametrize("field", ("enc", "wrapped"))
def test_no_flipped_bit_opens(field: str) -> None:
    bits = len(base64.b64decode(getattr(MADE, field))) * 8
    for bit in range(0, bits, max(1, bits // 128)):
        assert KEY.unwrap(flipped(MADE, field, bit), PLACE) is None, bit


@pytest.mark.parametrize("size", (0, 16, 1119, 1121))
def test_an_encapsulation_of_another_size(size: int) -> None:
    enc = base64.b64encode(bytes(size)).decode()
    assert KEY.unwrap(dataclasses.replace(MADE, enc=enc), PLACE) is None


def test_what_is_no_base64() -> None:
    with pytest.raises(KeyRefused, match="wrapped: not base64"):
        KEY.unwrap(dataclasses.replace(MADE, wrapped="?"), PLACE)


def test_as_the_standards_have_it() -> None:
    """Judged by X-Wing's combiner and RFC 9180's key schedule written out, on ML-KEM and X25519 alone."""
    enc, wrapped = base64.b64decode(MADE.enc or ""), base64.b64decode(MADE.wrapped)
    mlkem, x25519 = pair().halves()
    ciphertext, point = enc[:1088], enc[1088:]
    shared = hashlib.sha3_256(
        mlkem.decapsulate(ciphertext)
        + x25519.exchange(X25519PublicKey.from_public_bytes(point))
        + point
        + x25519.public_key().public_bytes_raw()
        + b"\\.//^\\"
    ).digest()
    suite = b"HPKE" + struct.pack(">HHH", 0x647A, 1, 2)

    def extract(salt: bytes, label: bytes, material: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")

    def expand(key: bytes, label: bytes, info: bytes, size: int) -> bytes:
        labelled = struct.pack(">H", size) + b"HPKE-v1" + suite + label + info
        return hmac.digest(key, labelled + b"\x01", "sha256")[:size]

    info = b"tapekit slot 1\0" + PLACE.archive + struct.pack(">I", 7) + b"owner"
    schedule = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", schedule, 32), expand(secret, b"base_nonce", schedule, 12)
    assert AESGCM(key).decrypt(nonce, wrapped, b"") == KEYS


# --- passphrases --------------------------------------------------------------------------------------------------


def phrase(text: str) -> Passphrase:
    return Passphrase(Secret(text.encode()))


def test_a_passphrase_opens_its_slot() -> None:
    made = slot.for_passphrase(KEYS, Secret(b"open sesame"), "owner", "all", PLACE)
    assert phrase("open sesame").fits(made)
    assert phrase("open sesame").unwrap(made, PLACE) == KEYS
    assert phrase("open sesamE").unwrap(made, PLACE) is None
    assert phrase("open sesame").unwrap(made, ELSEWHERE[0]) is None
    assert phrase("open sesame").unwrap(dataclasses.replace(made, role="recovery"), PLACE) is None
    assert phrase("open sesame").unwrap(flipped(made, "salt", 3), PLACE) is None
    assert phrase("open sesame").unwrap(flipped(made, "wrapped", 600), PLACE) is None
    assert not KEY.fits(made)
    assert not phrase("open sesame").fits(MADE)


def test_a_passphrase_slot_as_the_standards_have_it() -> None:
    """Judged by hashlib's scrypt."""
    made = slot.for_passphrase(KEYS, Secret(b"open sesame"), "owner", "all", PLACE)
    key = hashlib.scrypt(b"open sesame", salt=base64.b64decode(made.salt or ""), n=1 << 15, r=8, p=1, maxmem=1 << 26)
    info = b"tapekit slot 1\0" + PLACE.archive + struct.pack(">I", 7) + b"owner"
    assert AESGCM(key[:32]).decrypt(bytes(12), base64.b64decode(made.wrapped), info) == KEYS


@pytest.mark.parametrize(
    "changes",
    (
        {"log2_n": 14}, {"log2_n": 21}, {"log2_n": None}, {"r": 9}, {"p": 2}, {"r": None},
        {"salt": base64.b64encode(bytes(15)).decode()}, {"salt": None}, {"salt": "?"},
    ), ids=str,
)  # fmt: skip
def test_parameters_that_the_format_does_not_have(changes: dict[str, object]) -> None:
    """No slot makes the reader work, or take memory, for as long as whoever wrote it likes."""
    made = KeySlot("passphrase", "owner", "all", "AAAA", salt=base64.b64encode(bytes(16)).decode(), log2_n=15, r=8, p=1)
    with pytest.raises(KeyRefused, match="key slot"):
        phrase("open sesame").unwrap(dataclasses.replace(made, **changes), PLACE)  # type: ignore[arg-type]
