"""Sending reports by mail, webhook and the rest, through apprise.

An unreachable service fails nothing: each target has its own result, a few tries and a time limit; what was not sent
stays in a spool and goes out behind the next message to that target that does. Addresses hold passwords and tokens, so
messages name a target by its scheme and number alone, and the spool knows it by a digest.
"""

import contextlib
import dataclasses
import enum
import hashlib
import json
import logging
import os
import stat
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import apprise

from tapekit.errors import TapekitError
from tapekit.report.atomic import write_atomically
from tapekit.report.night import Outcome

ATTEMPTS = 3
WAIT_S = 5.0
"""Before the second try; doubled before each further one."""
LIMIT_S = 120.0
"""For one try: a service that answers a byte a minute must not hold the night up."""
KEPT = 100
"""Unsent messages that are kept; older ones are dropped."""


class BadTarget(TapekitError):
    """An address that cannot be used: not there, readable by others, or of no known service."""


class State(enum.StrEnum):
    """What became of a message for one target."""

    SENT = "sent"
    KEPT = "kept"
    """Not sent; it goes out behind the next one."""
    LOST = "lost"
    """Not sent, and it could not be kept."""


@dataclasses.dataclass(frozen=True)
class Target:
    """An apprise URL: as text, in a file of its owner alone, or in a variable of the environment."""

    url: str = dataclasses.field(default="", repr=False)
    url_file: Path | None = None
    url_env: str = ""


@dataclasses.dataclass(frozen=True)
class Message:
    """A report that is sent."""

    subject: str
    text: str
    outcome: Outcome


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a message for one target."""

    target: str
    """Its scheme and number, such as `mailto 1`."""
    state: State
    problem: str = ""
    earlier: int = 0
    """Messages of earlier nights that were sent now."""


_TYPES = {
    Outcome.CLEAN: apprise.NotifyType.SUCCESS,
    Outcome.WARNINGS: apprise.NotifyType.WARNING,
    Outcome.SPOOLED: apprise.NotifyType.FAILURE,
    Outcome.FAILED: apprise.NotifyType.FAILURE,
}

# Their messages hold parts of addresses and of answers.
for _logger in ("apprise", "urllib3", "requests"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL + 1)


class Notifier:
    """Sends to targets; `spool` is a directory in the state. `wait` is called with seconds between two tries."""

    def __init__(
        self,
        targets: Sequence[Target],
        spool: Path,
        wait: Callable[[float], None] = time.sleep,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Nothing is opened yet."""
        self._targets = targets
        self._spool = spool
        self._wait = wait
        self._limit_s = limit_s

    def send(self, message: Message) -> list[Result]:
        """Send a message to every target. Never raises for a target or the spool: the results tell."""
        return [self._send_to(number, target, message) for number, target in enumerate(self._targets, 1)]

    def send_kept(self) -> int:
        """Send what waits for the targets, with no message of tonight; how many went."""
        count = 0
        for target in self._targets:
            with contextlib.suppress(BadTarget):
                service = _service(resolve(target))
                count += self._send_kept(service, _digest(target)) if service else 0
        return count

    def _send_to(self, number: int, target: Target, message: Message) -> Result:
        try:
            url = resolve(target)
        except BadTarget as error:
            # Kept too: a file whose rights are mended tomorrow gets what it missed.
            return self._keep(f"target {number}", _digest(target), message, str(error))
        service = _service(url)
        # What apprise does not know may be anything: a password in the wrong field.
        name = f"{url.partition(':')[0]} {number}" if service else f"target {number}"
        if service is None:
            return self._keep(name, _digest(target), message, "no such service, or something is missing in its URL")
        problem = self._try(service, message, ATTEMPTS)
        if problem:
            return self._keep(name, _digest(target), message, problem)
        return Result(name, State.SENT, earlier=self._send_kept(service, _digest(target)))

    def _try(self, service: apprise.NotifyBase, message: Message, attempts: int) -> str:
        """Try to send; why it did not go, or nothing."""
        problem = ""
        for attempt in range(attempts):
            if attempt:
                self._wait(WAIT_S * 2 ** (attempt - 1))
            problem = self._deliver(service, message)
            if not problem:
                break
        return problem

    def _deliver(self, service: apprise.NotifyBase, message: Message) -> str:
        problems = ["no answer in time"]

        def deliver() -> None:
            try:
                is_sent = service.notify(
                    body=message.text,
                    title=message.subject,
                    notify_type=_TYPES[message.outcome],
                    body_format=apprise.NotifyFormat.TEXT,
                )
                problems[0] = "" if is_sent else "not reached, or it refused"
            except Exception as error:  # noqa: BLE001 - a library of a hundred services; the night goes on
                # Its text may hold the address.
                problems[0] = f"not sent: {type(error).__name__}"

        # A daemon: one that never returns does not keep the program from ending.
        thread = threading.Thread(target=deliver, daemon=True)
        thread.start()
        thread.join(self._limit_s)
        return problems[0]

    def _keep(self, name: str, digest: str, message: Message, problem: str) -> Result:
        """Put a message into the spool."""
        path = self._spool / f"{time.time_ns():020d}-{digest}.json"
        try:
            self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, json.dumps(dataclasses.asdict(message)), 0o600)
            for old in sorted(self._spool.glob("*.json"))[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            return Result(name, State.LOST, f"{problem}; and not kept: {error.strerror}")
        return Result(name, State.KEPT, problem)

    def _send_kept(self, service: apprise.NotifyBase, digest: str) -> int:
        """Send what waits for a target, oldest first, until one does not go."""
        count = 0
        for path in sorted(self._spool.glob(f"*-{digest}.json")):
            with contextlib.suppress(OSError):
                message = _read(path)
                if message is not None and self._try(service, message, 1):
                    break
                path.unlink(missing_ok=True)
                count += message is not None
        return count


def resolve(target: Target) -> str:
    """The URL of a target; raises BadTarget, with nothing of the URL in it."""
    if target.url_file is not None:
        return _from_file(target.url_file)
    if target.url_env:
        url = os.environ.get(target.url_env, "").strip()
        if not url:
            raise BadTarget(f"{target.url_env}: no URL: the variable is not set")
        return url
    return target.url


def _from_file(path: Path) -> str:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadTarget(f"{path}: not used: others may read it", f"chmod 600 {path}")
        url = path.read_text("utf-8").strip()
    except OSError as error:
        raise BadTarget(f"{path}: no URL: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadTarget(f"{path}: no URL: not text") from error
    if not url or "\n" in url:
        raise BadTarget(f"{path}: no URL: one line with the URL alone is expected")
    return url


def _service(url: str) -> apprise.NotifyBase | None:
    asset = apprise.AppriseAsset(app_id="tapekit", app_desc="tapekit", async_mode=False, secure_logging=True)
    with warnings.catch_warnings():
        # Its services are imported now, and one of them asks for a module that Python gives up.
        warnings.simplefilter("ignore", DeprecationWarning)
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(service, apprise.NotifyBase):
        return None
    # Columns stand under each other in plain text only; mail would become HTML.
    service.notify_format = apprise.NotifyFormat.TEXT
    return service


def _digest(target: Target) -> str:
    """What the spool knows a target by."""
    return hashlib.sha256(f"{target.url}\0{target.url_file}\0{target.url_env}".encode()).hexdigest()[:16]


def _read(path: Path) -> Message | None:
    """A message of the spool; None where it is none."""
    try:
        value = json.loads(path.read_text("utf-8"))
        return Message(str(value["subject"]), str(value["text"]), Outcome(value["outcome"]))
    except (ValueError, KeyError, TypeError):
        return None
