"""A configuration to begin with, with comments."""

import dataclasses

from tapekit.config.show import value_text


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a person said."""

    site: str
    language: str
    drive: str
    sources: tuple[str, ...]
    scheme: str
    time: str


_POOL = (
    "[pools.daily]\nretention = {daily}          # so long a night on a cartridge of this pool is never overwritten\n"
)
_GFS_POOLS = """
[pools.weekly]
retention = "27 days"

[pools.monthly]
retention = "11 months"

[pools.yearly]
retention = "4 years"
"""
_WEEKDAYS = """\
[rotations.tapekit]
scheme = "weekdays"             # a cartridge for each day: MON-1 … FRI-1
days = ["mon", "tue", "wed", "thu", "fri"]
sets = 1                        # 2: MON-1 and MON-2 take turns
pool = "daily"
"""
_GFS = """\
[rotations.tapekit]
scheme = "gfs"                  # grandfather, father, son
daily = 4                       # cartridges of each kind
weekly = 4
monthly = 12
yearly = 5
"""
_COUNTED = """\
[rotations.tapekit]
scheme = {scheme}
count = 5                       # cartridges; or their names: cartridges = ["A", "B"]
pool = "daily"
"""
ROTATIONS: tuple[tuple[str, str, str], ...] = (
    ("weekdays", _POOL.format(daily='"6 days"'), _WEEKDAYS),
    ("gfs", _POOL.format(daily='"6 days"') + _GFS_POOLS, _GFS),
    (
        "hanoi",
        _POOL.format(daily='"1 day" '),
        _COUNTED.format(scheme='"hanoi"                 # A every second night, B every fourth …'),
    ),
    (
        "round-robin",
        _POOL.format(daily='"4 days"'),
        _COUNTED.format(scheme='"round-robin"           # one after the other'),
    ),
)
"""Scheme, its pools and its table. A cartridge comes back one day after its retention has passed, or later."""

_TEXT = """\
# tapekit's configuration. Every key: docs/configuration.md; is it right: tapekit config check.

[site]
name = {site}
language = {language}                 # of reports and mails: en, fr
# state = "/var/lib/tapekit"    # catalog, evidence, reports
# catalog = "postgresql://tapekit@db/tapekit"
# catalog_password_file = "/etc/tapekit/catalog-password"

[calendar]
closed = ["sat", "sun"]         # days without a night
# country = "FR"                # its public holidays have none either
# holidays = ["2026-12-24", "12-31"]
# absences = ["2026-08-01/2026-08-16"]

[keys]                          # public keys are in keys/ beside this file: tapekit keys new
# proven_within = "35 days"     # so often somebody shows that a key opens a cartridge

[drives]
main = {drive}

{pools}
{rotation}
[jobs.nightly]
sources = {sources}
# exclude = ["*.tmp"]
drive = "main"
rotation = "tapekit"
time = {time}
# check_time = "18:00"          # is the right cartridge in? two hours before without it
verify = "compare"              # read back and compared with the source
sample_restore = 5              # files restored with the cartridge's own rescue kit
eject = true
# encryption = "none"           # for every key of the site without it, once there is one
# spool = "/var/spool/tapekit"  # where a night goes when no cartridge can take it
# before = [{{ command = ["systemctl", "stop", "shop"], timeout = "10 minutes" }}]
# after = [{{ command = ["systemctl", "start", "shop"] }}]

# [[jobs.nightly.databases]]
# kind = "postgresql"
# name = "shop"

[notifications]
# What holds a password stands in a file of its own, which only root can read.
# always = [{{ url_file = "/etc/tapekit/mail-url" }}]
# problems = ["ntfy://shop-backup"]
# prometheus = "/var/lib/prometheus/node-exporter/tapekit.prom"
# html = "/var/lib/tapekit/reports"
retention = "1 year"            # of reports
"""


def text(answers: Answers) -> str:
    """The file."""
    _, pools, rotation = next(entry for entry in ROTATIONS if entry[0] == answers.scheme)
    return _TEXT.format(
        site=value_text(answers.site),
        language=value_text(answers.language),
        drive=value_text(answers.drive),
        sources=value_text(list(answers.sources)),
        time=value_text(answers.time),
        pools=pools,
        rotation=rotation,
    )
