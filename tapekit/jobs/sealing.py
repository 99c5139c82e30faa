"""Whom what this site writes is encrypted for, what signs it, and whose signatures are known."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from formats.publickey import SITE, PublicKeyLine
from tapekit.errors import TapekitError, UsageError
from tapekit.keys import ring
from tapekit.keys.ring import Ring
from tapekit.keys.seal import NOBODY, Recipients
from tapekit.keys.secret import Secret, protect_memory
from tapekit.keys.site import FILE_NAME, SiteKey, site_key


@dataclasses.dataclass(frozen=True)
class Sealing:
    """What a run is given; nothing in it is secret but the site's own key, and a passphrase where there is one."""

    recipients: Recipients = NOBODY
    site_key: SiteKey | None = None
    problems: tuple[str, ...] = ()
    """Keys that cannot be used, and why: what is written does not open with them."""


def sealing(
    keys: Path, state: Path, *, is_encrypted: bool = True, named: Sequence[str] = (), passphrase: Secret | None = None
) -> Sealing:
    """Everything is for all keys of the site, once there are any, or for those named: of the site, or in files.

    Raises KeyRefused where there are keys and none of them would give data back, KeyNeeded for a name that there is
    not, UsageError. A site key that does not work is a problem: what is unsigned is better than no night.
    """
    if not is_encrypted and (named or passphrase is not None):
        raise UsageError("encryption: none, and yet it is said for whom", "leave one of the two out")
    found = ring.read(keys) if is_encrypted else Ring(keys)
    recipients = _recipients(found, named, passphrase)
    problems = () if named else found.problems
    if recipients:
        protect_memory()
    try:
        return Sealing(recipients, site_key(state), problems)
    except TapekitError as error:
        return Sealing(recipients, None, (*problems, str(error)))


def _recipients(found: Ring, named: Sequence[str], passphrase: Secret | None) -> Recipients:
    if named:
        recipients = Recipients(tuple(dict.fromkeys(_public_key(found, name) for name in named)), passphrase)
    elif passphrase is not None and not found.recipients:
        recipients = Recipients((), passphrase)
    else:
        recipients = Recipients(found.checked_recipients(), passphrase)
    recipients.check()
    return recipients


def _public_key(found: Ring, name: str) -> PublicKeyLine:
    is_name = any(name == entry.line.name for entry in found.entries)
    key = ring.read_line(Path(name)) if not is_name and Path(name).is_file() else found.named(name).line
    if key.role == SITE:
        raise UsageError(f"keys: {key.name}: a site's key signs, and opens nothing", "name the key of a person")
    return key


def known_sites(keys: Path, state: Path, name: str) -> tuple[PublicKeyLine, ...]:
    """Keys of sites whose signatures are known: this site's own, where it has one, and those in the directory."""
    own: tuple[PublicKeyLine, ...] = ()
    if (state / FILE_NAME).exists():
        try:
            own = (site_key(state).line(name or "this site"),)
        except TapekitError:
            own = ()
    return own + ring.read(keys).sites
