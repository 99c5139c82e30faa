"""Whom what this site writes is encrypted for, and what signs it: from the directory of keys and the state."""

import dataclasses
from pathlib import Path

from tapekit.errors import TapekitError
from tapekit.keys import ring
from tapekit.keys.seal import NOBODY, Recipients
from tapekit.keys.site import SiteKey, site_key


@dataclasses.dataclass(frozen=True)
class Sealing:
    """What a run is given; nothing in it is secret but the site's own key."""

    recipients: Recipients = NOBODY
    site_key: SiteKey | None = None
    problems: tuple[str, ...] = ()
    """Keys that cannot be used, and why: what is written does not open with them."""


def sealing(keys: Path, state: Path, *, is_encrypted: bool = True) -> Sealing:
    """Everything is for all keys of the site, once there are any.

    Raises KeyRefused where there are keys and none of them would give data back. A site key that does not work is a
    problem: what is unsigned is better than no night.
    """
    found = ring.read(keys)
    recipients = Recipients(found.checked_recipients()) if is_encrypted else NOBODY
    problems = found.problems if is_encrypted else ()
    try:
        return Sealing(recipients, site_key(state), problems)
    except TapekitError as error:
        return Sealing(recipients, None, (*problems, str(error)))
