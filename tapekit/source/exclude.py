"""What a backup leaves out: patterns in the manner of .gitignore, relative to each source path."""

import os
from collections.abc import Sequence

from tapekit.errors import UsageError

CACHE_TAG_NAME = "CACHEDIR.TAG"
CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
"""Marks a directory of things that can be made again (bford.info/cachedir, Cache Directory Tagging Specification)."""


class Excludes:
    """Says of a path whether a pattern leaves it out."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Raises UsageError for a pattern that is none."""
        self._patterns = [pattern for pattern in patterns if pattern.strip()]
        if not self._patterns:
            return
        import pathspec  # noqa: PLC0415 - takes a tenth of the program's start, and most backups have no patterns

        try:
            self._spec = pathspec.GitIgnoreSpec.from_lines(patterns)
        except (ValueError, TypeError) as error:
            raise UsageError(f"exclude: not a pattern: {error}") from error

    def __bool__(self) -> bool:
        """Whether there is any pattern."""
        return bool(self._patterns)

    def match(self, path: str, *, is_directory: bool) -> bool:
        """Whether the path, relative to its source, is left out."""
        return bool(self._patterns) and self._spec.match_file(path + "/" if is_directory else path)


def is_cache(directory_fd: int) -> bool:
    """Whether an open directory is tagged as a cache."""
    try:
        fd = os.open(CACHE_TAG_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory_fd)
    except OSError:
        return False
    try:
        return os.read(fd, len(CACHE_TAG)) == CACHE_TAG
    except OSError:
        return False
    finally:
        os.close(fd)
