"""Whom a site writes for, what it signs with, and whose signatures it knows."""

from collections.abc import Sequence
from pathlib import Path

from formats.publickey import SITE, PublicKeyLine
from tapekit.errors import KeyRefused, UsageError
from tapekit.keys import ring
from tapekit.keys.seal import NOBODY, Recipients
from tapekit.keys.secret import Secret
from tapekit.keys.site import FILE_NAME, SiteKey, site_key

AUTO, NONE = "auto", "none"


def recipients(
    directory: Path, encryption: str = AUTO, named: Sequence[str] = (), passphrase: Secret | None = None
) -> Recipients:
    """Who will open what is written: the keys named (of the site, or files), or all of the site.

    Nobody where the site has none, or where encryption is `none`. Raises KeyNeeded, KeyRefused, UsageError.
    """
    if encryption == NONE:
        if named or passphrase is not None:
            raise UsageError("encryption: none, and yet it is said for whom", "leave one of the two out")
        return NOBODY
    known = ring.read(directory)
    if named:
        keys = tuple(dict.fromkeys(_public_key(known, name) for name in named))
        for key in keys:
            if key.role == SITE:
                raise UsageError(f"keys: {key.name}: a site's key signs, and opens nothing", "name a person's key")
    else:
        keys = () if passphrase is not None and not known.is_encrypting else known.checked_recipients()
    found = Recipients(keys, passphrase)
    found.check()
    return found


def _public_key(known: ring.Ring, name: str) -> PublicKeyLine:
    if Path(name).is_file() and not any(name == entry.line.name for entry in known.entries):
        return ring.read_line(Path(name))
    return known.named(name).line


def signing_key(state: Path) -> tuple[SiteKey | None, str]:
    """The site's key, made where there is none; or why there is none: then what is written is not signed."""
    try:
        return site_key(state), ""
    except KeyRefused as error:
        return None, str(error)


def known_sites(directory: Path, state: Path, name: str) -> tuple[PublicKeyLine, ...]:
    """Keys of sites whose signatures are known: those in the directory, and this site's own."""
    own: tuple[PublicKeyLine, ...] = ()
    if (state / FILE_NAME).exists():
        key, _ = signing_key(state)
        own = (key.line(name or "this site"),) if key else ()
    return own + ring.read(directory).sites
