"""A night as the command runs it: somebody hears of it, whatever happens."""

import socket
from collections.abc import Callable
from datetime import date, timedelta

from tapekit import clock
from tapekit.errors import REPORTED, Busy, Exit, UsageError, exit_code
from tapekit.jobs.nightly import run
from tapekit.jobs.nightly.deliver import deliver
from tapekit.jobs.nightly.going_on import Person
from tapekit.jobs.nightly.setting import Setting
from tapekit.model import night_of
from tapekit.progress import Progress
from tapekit.report.night import NightReport, Note, Outcome
from tapekit.report.notes import note, of_error

LATE = timedelta(days=366)
"""A night longer ago is not run any more."""


def night(
    setting: Setting, progress: Progress, chosen: date | None, waiting: Callable[[str], None] | None = None,
    person: Person | None = None,
) -> NightReport:  # fmt: skip
    """Run a night and deliver its report. `waiting` is told once who holds the drive. Raises UsageError.

    A `person` at the terminal changes cartridges.
    """
    which, begun = checked(chosen), clock.now()

    def not_begun(said: Note, code: Exit) -> NightReport:
        return deliver(setting, NightReport(
            setting.site, socket.gethostname(), setting.name, which, begun, clock.now(), Outcome.FAILED, int(code),
            problems=(said,),
        ))  # fmt: skip

    try:
        report = run.run(setting, progress, which, waiting, person)
    except Busy as error:
        return not_begun(note("busy", str(error), drive=", ".join(name for name, _ in setting.drives)), Exit.BUSY)
    except REPORTED as error:
        return not_begun(of_error(error), exit_code(error))
    except Exception as error:
        not_begun(note("defect", f"{type(error).__name__}: {error}"), Exit.FAILED)
        raise
    return deliver(setting, report)


def checked(chosen: date | None, *, is_rehearsed: bool = False) -> date:
    """The night that is run: tonight, or one that is late. Raises UsageError for one that has not come.

    A night to come would take what is protected until then for expired; it may be rehearsed.
    """
    now = clock.now()
    if chosen is None:
        return night_of(now)
    today = now.astimezone().date()
    if chosen > today and not is_rehearsed:
        raise UsageError(f"date: {chosen}: is still to come", "--dry-run says what it would do with what is in now")
    if chosen < today - LATE:
        raise UsageError(f"date: {chosen}: longer ago than a year")
    return chosen
