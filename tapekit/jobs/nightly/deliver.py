"""The report of a night brought to people and programs: the state, a page, metrics, messages.

What does not get there is told with the rest, and never makes a night fail.
"""

import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from tapekit import clock
from tapekit.config.schema import Notification, Notifications
from tapekit.evidence import Evidences
from tapekit.jobs import past, plan
from tapekit.jobs.nightly import latest
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.setting import Setting
from tapekit.model import Stock
from tapekit.report import html, notify, prometheus, text
from tapekit.report.night import CartridgeState, History, NightReport, Note, Outcome
from tapekit.report.notes import note

SHOWN_RUNS = 500
"""The pictures show as many runs at most: a year and a few repeats."""
UNSENT = "unsent"
"""Folder in the state with messages that did not go out."""


def deliver(setting: Setting, report: NightReport, wait: Callable[[float], None] = time.sleep) -> NightReport:
    """Bring a report everywhere; the answer is the report with what did not get there.

    Never raises: the night is over, and a defect in one of its pictures is no reason to call it a failure.
    """
    try:
        return _deliver(setting, report, wait)
    except Exception as error:  # noqa: BLE001
        return report.with_notes(warnings=[note("defect", f"{type(error).__name__}: {error}")])


def _deliver(setting: Setting, report: NightReport, wait: Callable[[float], None]) -> NightReport:
    """The page is written before anything is sent, which may take minutes, and again if there is more to tell then."""
    keeper = Keeper(setting.open_catalog, Evidences(setting.state))
    try:
        history = _history(setting, report, keeper)
        report = report.with_notes(warnings=_write(setting, report, history))
        unsent = _send(setting, report, wait)
        if unsent:
            report = report.with_notes(warnings=unsent)
            _write(setting, report, history)
        keeper.amend(report)
        keeper.forget(report.night - _retention(setting))
        known = {(noted.kind, noted.detail) for noted in report.problems}
        return report.with_notes(problems=[n for n in keeper.problems if (n.kind, n.detail) not in known])
    finally:
        keeper.close()


def _retention(setting: Setting) -> timedelta:
    return timedelta(seconds=setting.configuration.notifications.retention.seconds)


def _history(setting: Setting, report: NightReport, keeper: Keeper) -> History:
    """What the page's pictures show, this night included."""
    before = [old for old in keeper.reports(setting.name, SHOWN_RUNS) if old.begun != report.begun]
    stock = keeper.stock()
    cartridges = [CartridgeState.of(cartridge) for cartridge in stock.cartridges if cartridge.is_in_service]
    return History.of([*before, report], cartridges, _closed(setting, stock, [old.night for old in before], report))


def _closed(setting: Setting, stock: Stock, nights: list[date], report: NightReport) -> list[date]:
    calendar = plan.site_calendar(setting.configuration.calendar, stock, report.night)
    first, last = min([*nights, report.night]), max([*nights, report.night])
    days = (first + timedelta(days) for days in range((last - first).days + 1))
    return [day for day in days if calendar.why_closed(day) is not None]


# --- files ------------------------------------------------------------------------------------------------------------


def _write(setting: Setting, report: NightReport, history: History) -> list[Note]:
    """The last report in the state, the page with its index, the metrics; what could not be written."""
    notifications, language = setting.configuration.notifications, setting.language
    steps: list[tuple[Path | None, Callable[[Path], object]]] = [
        (setting.state, lambda state: latest.keep(state, report)),
        (notifications.html, lambda folder: html.write(folder, report, history, language, _retention(setting))),
        (
            notifications.prometheus,
            lambda path: prometheus.write(path, past.metrics(setting.configuration, clock.now(), report)),
        ),
    ]
    notes = []
    for path, write in steps:
        try:
            if path is not None:
                write(path)
        except OSError as error:
            notes.append(note("report-file", (error.strerror or type(error).__name__).lower(), path=str(path)))
        except Exception as error:  # noqa: BLE001 - the rest is delivered all the same
            notes.append(note("report-file", f"{type(error).__name__}: {error}", path=str(path)))
    return notes


def write_metrics(setting: Setting, path: Path, report: NightReport | None = None) -> None:
    """Write the metrics of all jobs as they are now; `report` is of a run that has just ended. Raises OSError."""
    prometheus.write(path, past.metrics(setting.configuration, clock.now(), report))


# --- messages ---------------------------------------------------------------------------------------------------------


def _send(setting: Setting, report: NightReport, wait: Callable[[float], None]) -> list[Note]:
    """Send the report; what did not go."""
    subject, body = text.subject(report, setting.language), text.text(report, setting.language)
    return send(setting, notify.Message(subject, body, report.outcome), wait)


def send(setting: Setting, message: notify.Message, wait: Callable[[float], None] = time.sleep) -> list[Note]:
    """Send a message to those who hear of every night, and if all is not clean to the others too; what did not go."""
    return send_to(setting.configuration.notifications, setting.state, message, wait)


def send_to(
    notifications: Notifications, state: Path, message: notify.Message, wait: Callable[[float], None]
) -> list[Note]:
    """The same, where there is no whole configuration."""
    always, problems = (_targets(listed) for listed in (notifications.always, notifications.problems))
    others = [target for target in problems if target not in always]
    unsent = state / UNSENT
    if message.outcome is Outcome.CLEAN:
        results = notify.Notifier(always, unsent, wait).send(message)
        notify.Notifier(others, unsent, wait).send_kept()
    else:
        results = notify.Notifier([*always, *others], unsent, wait).send(message)
    kinds = {notify.State.KEPT: "not-sent", notify.State.LOST: "not-kept"}
    return [
        note(kinds[result.state], result.problem, target=result.target) for result in results if result.state in kinds
    ]


def _targets(listed: tuple[Notification, ...]) -> list[notify.Target]:
    """Each once."""
    targets = (notify.Target(one.url or "", one.url_file, one.url_env or "") for one in listed)
    return list(dict.fromkeys(targets))
