"""The configuration as it counts, with every default, and without what may be a secret."""

import json
from typing import Any
from urllib.parse import urlsplit

from tapekit.config.schema import Configuration

HIDDEN = "…"
"""Stands for what is not shown."""
HAVE_HOSTS = frozenset(("mailto", "mailtos", "http", "https", "json", "jsons", "xml", "xmls", "form", "forms"))
"""Schemes of notifications where a host stands behind the scheme; elsewhere it may be a token."""


def effective(configuration: Configuration) -> dict[str, Any]:
    """Every key with its value; what is not set is left out. Of notifications only scheme and host are shown."""
    content: dict[str, Any] = configuration.model_dump(mode="json", exclude_none=True)
    for listed in (content["notifications"]["always"], content["notifications"]["problems"]):
        for notification in listed:
            if "url" in notification:
                notification["url"] = hidden(notification["url"])
    return content


def hidden(url: str) -> str:
    """A URL without what may be a token: many services have theirs in the path, the query, or in the host's place."""
    parts = urlsplit(url)
    host = parts.hostname if parts.scheme in HAVE_HOSTS else None
    return f"{parts.scheme}://{f'{host}/' if host else ''}{HIDDEN}"


def to_toml(content: dict[str, Any]) -> str:
    """A table of tables, texts, numbers, flags and lists as TOML."""
    lines: list[str] = []
    _table((), content, lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(path: tuple[str, ...], table: dict[str, Any], lines: list[str]) -> None:
    values = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if path and (values or not table):
        lines += ["", f"[{'.'.join(map(_key, path))}]"]
    lines += [f"{_key(key)} = {value_text(value)}" for key, value in values.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            _table((*path, key), value, lines)


def value_text(value: Any) -> str:  # noqa: ANN401 - any of TOML's values
    """A value as TOML has it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {value_text(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    # JSON's texts, numbers and flags are TOML's too, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else value_text(key)
