"""A quick look at how much there is to save, for the time that is left."""

import os
from collections.abc import Iterator

from tapekit.source.walk import Sources


def measure(sources: Sources) -> int:
    """About the bytes of all regular files below the sources; what cannot be looked at counts as nothing."""
    return sum(size for source in sources.paths for size in _sizes(os.path.join(sources.root, source)))


def _sizes(top: str) -> Iterator[int]:
    if os.path.isfile(top):
        yield os.path.getsize(top)
    folders = [top]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield min(status.st_size, status.st_blocks * 512)
        except OSError:
            continue
