"""The signature over a trailer: who wrote this cartridge so far (formats/SPEC.md section 9.5)."""

import base64
import binascii
import dataclasses

from formats import segment
from formats.errors import Damaged
from formats.keyslot import Signature
from formats.segment import Trailer
from tapekit.keys.site import SiteKey, is_signed

ED25519 = "ed25519"


def signed_trailer(trailer: Trailer, key: SiteKey | None, limit_bytes: int) -> bytes:
    """The trailer document, of at most `limit_bytes`, signed where there is a key. Raises TooLarge.

    A signature of the same size stands in its place first: what is too much of the directory is dropped for both.
    """
    if key is None:
        return segment.build_trailer(trailer, limit_bytes)
    unsigned = dataclasses.replace(trailer, signature=_signature(key.public, bytes(64)))
    document = segment.build_trailer(unsigned, limit_bytes)
    fitting = segment.parse_trailer(document)
    value = key.sign(segment.signed(document))
    return segment.build_trailer(dataclasses.replace(fitting, signature=_signature(key.public, value)), limit_bytes)


def _signature(public: bytes, value: bytes) -> Signature:
    return Signature(ED25519, base64.b64encode(public).decode(), base64.b64encode(value).decode())


def signer(trailer: Trailer, document: bytes) -> bytes | None:
    """The public key of the site that signed a trailer, as it was read; None: nobody did, or in a newer way.

    Raises Damaged where the signature is not one over this trailer.
    """
    signature = trailer.signature
    if signature is None or signature.kind != ED25519:
        return None
    try:
        key, value = (base64.b64decode(text, validate=True) for text in (signature.key, signature.value))
        if _signature(key, value) != signature:  # bits that no byte takes: one signature has one spelling
            raise ValueError
    except (binascii.Error, ValueError) as error:
        raise Damaged("trailer.signature: not base64") from error
    if not is_signed(key, segment.signed(document), value):
        raise Damaged("trailer.signature: it is not over this trailer: the trailer was changed")
    return key
