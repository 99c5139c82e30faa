"""A configuration with one job, and what is planned from it."""

from typing import Any

from tapekit.config.schema import Configuration
from tapekit.schedule.files import Plan


def configuration(closed: tuple[str, ...] = (), drive: str = "disk:/dev/sdz", **job: Any) -> Configuration:  # noqa: ANN401
    return Configuration.model_validate(
        {
            "site": {"name": "Pharmacie du Port"},
            "calendar": {"closed": list(closed)},
            "drives": {"rdx": drive},
            "pools": {"daily": {"retention": "6 days"}},
            "rotations": {"week": {"scheme": "weekdays", "pool": "daily"}},
            "jobs": {"nightly": {"sources": ["/srv"], "drive": "rdx", "rotation": "week", "time": "21:30"} | job},
        }
    )


def plan(*program: str, closed: tuple[str, ...] = (), drive: str = "disk:/dev/sdz", **job: Any) -> Plan:  # noqa: ANN401
    return Plan(configuration(closed, drive, **job), "nightly", program or ("/usr/bin/tapekit",))
