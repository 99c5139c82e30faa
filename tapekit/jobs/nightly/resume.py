"""A night whose rest waits in the spool: when a run goes on with it, rather than beginning another night."""

from datetime import date, datetime, time, timedelta

from tapekit.evidence import Evidences
from tapekit.jobs import plan
from tapekit.jobs.nightly import spool
from tapekit.jobs.nightly.at_hand import AtHand
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.lock import locked
from tapekit.jobs.nightly.setting import Setting
from tapekit.jobs.nightly.trace import Trace
from tapekit.jobs.nightly.unspool import question
from tapekit.model import NOON, night_of
from tapekit.rotation.decide import Way, decide

HOLDER = "what waits"
EARLY = timedelta(hours=4)
"""So long before its time a night is begun by nobody but a person; a timer of somebody's own may be an hour off."""


def waiting(setting: Setting, night: date, now: datetime) -> list[spool.Waiting]:
    """The parts in the spool that a run begun now goes on with: of its own night, or of one before while it is early.

    A run long before its night's time is one by hand, or of a cartridge that was put in for the rest. Where the clock
    says that a part is still to be written, it went back, and this is another night.
    """
    directory = setting.job.spool
    sets = spool.sets(directory, setting.name) if directory else []
    is_early = now.astimezone() < begins(night, setting.job.time) - EARLY
    over = [one for one in sets if one.finished is not None and one.finished < now]
    mine = [one for one in over if one.night == night or (is_early and one.night < night)]
    return [one for one in mine if one.archive == mine[0].archive]


def begins(night: date, at: time) -> datetime:
    """When a night begins, local time; one in the small hours belongs to the day before."""
    return datetime.combine(night + timedelta(days=at < time(NOON)), at).astimezone()


def is_next(setting: Setting, now: datetime) -> bool:
    """Whether what is in the drives now is the very cartridge that a waiting rest should go on.

    Raises Busy where another run holds a drive, DriveError, TapekitError.
    """
    night = night_of(now)
    parts = waiting(setting, night, now)
    if not parts:
        return False
    evidences, trace = Evidences(setting.state), Trace(setting.traces, f"{setting.name}.look", night.isoformat())
    keeper = Keeper(setting.open_catalog, evidences)
    try:
        with locked(setting.locks, [url for _, url in setting.drives], HOLDER, 0, is_shared=True):
            policy = plan.policy(setting.configuration, keeper.stock(), night)
            at = AtHand(setting, policy, night, keeper, evidences, trace)
            way = way_of(at, parts[0])
    finally:
        trace.end()
        keeper.close()
    return way is not None and way.is_wanted


def way_of(at: AtHand, one: spool.Waiting) -> Way | None:
    """Where one part would go with what is in the drives now."""
    in_reach, stock = at.look()
    return decide(question(at, one, stock), in_reach, stock, at.policy).way
