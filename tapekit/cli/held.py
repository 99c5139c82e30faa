"""Members and where they are held, as `find` and `versions` show them."""

from collections.abc import Sequence
from typing import Any

from tapekit.catalog.search import Version
from tapekit.cli.common import path_json, path_text
from tapekit.units import size_text, time_text

COLUMNS = ("name", ">size", "changed", "nights", "cartridges")


def rows(versions: Sequence[Version]) -> list[tuple[str, ...]]:
    """One line for each version."""
    return [
        (
            path_text(version.entry.path),
            size_text(version.entry.size),
            time_text(version.entry.mtime_ns),
            _nights(version),
            ", ".join(dict.fromkeys(name for holding in version.holdings for name in holding.cartridges)),
        )
        for version in versions
    ]


def _nights(version: Version) -> str:
    nights = sorted({holding.night for holding in version.holdings})
    first, last = nights[0].isoformat(), nights[-1].isoformat()
    return first if len(nights) == 1 else f"{len(nights)}: {first} to {last}"


def version_json(version: Version) -> dict[str, Any]:
    """A version for programs."""
    entry = version.entry
    return {
        "path": path_json(entry.path), "type": entry.type.decode(), "size": entry.size, "mtime_ns": entry.mtime_ns,
        "sha256": entry.sha256.hex() if any(entry.sha256) else None, "saved": not entry.is_absent,
        "archives": [
            {
                "archive": held.archive, "job": held.job, "night": held.night.isoformat(),
                "started": held.started.isoformat(), "cartridges": list(held.cartridges),
            }
            for held in version.holdings
        ],
    }  # fmt: skip
