"""A key pair: both halves follow from 32 bytes, as draft-connolly-cfrg-xwing-kem has it."""

import hashlib

from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret
from tests.keys.people import pair


def test_public_half() -> None:
    """The known answer is fixed: a paper key of today opens cartridges in twenty years."""
    public = pair().public
    assert len(public) == 1216
    assert hashlib.sha256(public).hexdigest() == "c9a3565ffde4f72b51661be391ee13e46378d7f06dd5c8bf5af9d2cfb5b8336b"


def test_as_the_draft_has_it() -> None:
    """The first of the test vectors in its appendix C; the beginning of the public key."""
    seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
    public = Pair("owner", "a", Secret(bytes.fromhex(seed))).public
    assert public.hex().startswith("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5b19cfc3d")


def test_by_chance() -> None:
    assert Pair.new("owner", "a").secret.content != Pair.new("owner", "a").secret.content


def test_never_shown() -> None:
    assert "secret=Secret(…)" in repr(pair())
