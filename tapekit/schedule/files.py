"""A file that scheduling installs."""

import dataclasses
from pathlib import Path

from tapekit.config.schema import Configuration
from tapekit.errors import UsageError

HEAD = "# Written by `tapekit schedule install`, which writes it anew each time: change tapekit.toml instead.\n"


@dataclasses.dataclass(frozen=True)
class File:
    """Where it belongs, and what is in it."""

    path: Path
    content: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be scheduled: a job of a configuration, and how tapekit is called."""

    configuration: Configuration
    job: str
    program: tuple[str, ...]
    """The command up to its sub-command: /usr/bin/tapekit --config /etc/tapekit/tapekit.toml."""

    def __post_init__(self) -> None:
        """Raises UsageError where a drive would be another one for systemd and cron."""
        for name in self.configuration.jobs[self.job].in_reach:
            scheme, _, path = self.configuration.drives[name].url.partition(":")
            if scheme == "image" and not Path(path).is_absolute():
                raise UsageError(
                    f"schedule: drives.{name}: {path}: a relative path", "write where it begins, from / on"
                )
