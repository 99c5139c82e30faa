"""Drives by name: the one thing of the configuration that all commands need, looked up without the rest.

[drives]
office = "disk:/dev/disk/by-id/usb-TANDBERG_RDX"
spare = { url = "image:/srv/spare.tkc" }
"""

from tapekit.config import file
from tapekit.errors import UsageError


def drives(chosen: str | None) -> dict[str, str]:
    """URL of each drive by its name. Raises UsageError for a file that cannot be used."""
    path = file.find(chosen)
    if path is None:
        return {}
    _, content = file.parse(path)
    named = content.get("drives", {})
    urls = {name: _url(drive) for name, drive in named.items()} if isinstance(named, dict) else {"": None}
    found = {name: url for name, url in urls.items() if isinstance(url, str)}
    if len(found) < len(urls):
        raise UsageError(
            f"configuration: {path}: drives: expected names with a URL each",
            'for example: office = "disk:/dev/sdb"',
        )
    return found


def changers(chosen: str | None) -> dict[str, tuple[str, int]]:
    """By each drive's name its changer's URL and its number there, of those that have one. Raises UsageError."""
    path = file.find(chosen)
    named = file.parse(path)[1].get("drives", {}) if path else {}
    entries = named.items() if isinstance(named, dict) else ()
    return {
        name: (entry["changer"], number)
        for name, entry in entries
        if isinstance(entry, dict)
        and isinstance(entry.get("changer"), str)
        and isinstance(number := entry.get("number", 0), int)
    }


def _url(drive: object) -> object:
    return drive.get("url") if isinstance(drive, dict) else drive
