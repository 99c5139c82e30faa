"""Reading a file's content in the extents that hold data, without ever reading a hole."""

import errno
import os

from formats.pax import MOST_SPARSE_EXTENTS

Extents = tuple[tuple[int, int], ...]


def sparse_extents(fd: int, status: os.stat_result) -> Extents | None:
    """The data extents (offset, size) of a sparse file; None for a plain one.

    Where the file ends in a hole, an extent of no bytes stands at its end, from which GNU tar takes the size ("Storing
    Sparse Files": it seeks to the last extent and cuts the file there). A file whose blocks cover its size has no holes
    worth a map; nor is one kept with more extents than the format allows.
    """
    size = status.st_size
    if status.st_blocks * 512 >= size:
        return None
    extents: list[tuple[int, int]] = []
    place = 0
    while place < size:
        try:
            start = os.lseek(fd, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole to the end
                break
            return None
        end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if end <= start:
            break
        extents.append((start, end - start))
        if len(extents) >= MOST_SPARSE_EXTENTS:
            return None
        place = end
    if extents == [(0, size)]:
        return None
    if place < size:
        extents.append((size, 0))
    return tuple(extents)
