"""A night that a wrong configuration keeps from running: those who hear of bad nights hear of it too.

As much of the file as can be read says who they are.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tapekit import clock
from tapekit.config import file
from tapekit.config.schema import Notifications
from tapekit.errors import Exit, UsageError
from tapekit.evidence import state_directory
from tapekit.jobs.nightly.deliver import send_to
from tapekit.model import night_of
from tapekit.report import notify, text
from tapekit.report.night import NightReport, Outcome
from tapekit.report.notes import note


def tell(chosen: str | None, job: str, why: UsageError, wait: Callable[[float], None] = time.sleep) -> None:
    """Send what is wrong with the configuration; a file that names nobody, or cannot be read at all, tells nobody."""
    site, notifications = _read(chosen)
    if notifications is None:
        return
    now = clock.now()
    report = NightReport(
        str(site.get("name", "?")), socket.gethostname(), job, night_of(now), now, now, Outcome.FAILED,
        int(Exit.USAGE), problems=(note("configuration", str(why)),),
    )  # fmt: skip
    language = "fr" if site.get("language") == "fr" else "en"
    state = Path(site["state"]) if isinstance(site.get("state"), str) else state_directory()
    message = notify.Message(text.subject(report, language), text.text(report, language), report.outcome)
    send_to(notifications, state, message, wait)


def _read(chosen: str | None) -> tuple[Mapping[str, Any], Notifications | None]:
    with contextlib.suppress(UsageError, ValidationError):
        path = file.find(chosen)
        if path is not None:
            _, content = file.parse(path)
            site, notifications = content.get("site", {}), content.get("notifications", {})
            return site if isinstance(site, dict) else {}, Notifications.model_validate(notifications)
    return {}, None
