"""Listing: the members of archives, from their catalogs, or from the stream where there is none."""

import dataclasses
import os
import stat
from collections.abc import Generator, Iterator

from drivers.base import Drive
from formats import catalog, pax
from formats.catalog import NO_DIGEST, Entry
from tapekit.cartridge.cartridge import Cartridge, Segment, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.errors import KeyNeeded, VerificationFailed
from tapekit.jobs.next_cartridge import NextCartridge
from tapekit.jobs.parts import Part, Parts, Sought
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.patterns import Patterns
from tapekit.stream.read import PlainStream, find_layout
from tapekit.stream.unpack import LostMember, one_by_one

_TYPE_OF_PAX = {
    pax.REGULAR: catalog.REGULAR, pax.HARD_LINK: catalog.HARD_LINK, pax.SYMLINK: catalog.SYMLINK,
    pax.CHARACTER_DEVICE: catalog.CHARACTER_DEVICE, pax.BLOCK_DEVICE: catalog.BLOCK_DEVICE,
    pax.DIRECTORY: catalog.DIRECTORY, pax.FIFO: catalog.FIFO,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Listed:
    """A member of an archive."""

    segment: Segment
    entry: Entry


def run(
    drive: Drive, wanted: str, patterns: Patterns, problems: list[str], opener: Opener = NO_KEY,
    next_cartridge: NextCartridge | None = None, missing: list[str] | None = None,
) -> Iterator[Listed]:  # fmt: skip
    """The members that the patterns name, of `all` archives of a cartridge, the `latest`, or one by its id.

    One archive is listed over all its cartridges that are to be had; what is not is said in `missing`, what is damaged
    in `problems`. Raises NoSuchArchive, KeyNeeded, KeyRefused, DriveError. Of `all` archives, those that the key opens
    are listed before KeyNeeded is raised of the first one that it does not.
    """
    closed: KeyNeeded | None = None
    if wanted != "all":
        sought = Sought(wanted, opener, next_cartridge, for_data=False)
        with Parts(drive, sought) as parts:
            yield from _of_parts(parts, patterns, problems)
            if missing is not None:
                missing += parts.missing()
        return
    cartridge = open_cartridge(drive)
    for segment in cartridge.segments():
        try:
            opened = cartridge.unlock(segment, opener, for_data=segment.trailer is None)
        except KeyNeeded as error:
            closed = closed or error
            continue
        for entry in _entries(cartridge, opened, problems):
            if patterns.match(entry.path):
                yield Listed(segment, entry)
    if closed is not None:
        raise closed


def _of_parts(parts: Parts, patterns: Patterns, problems: list[str]) -> Iterator[Listed]:
    held: Listed | None = None
    for part in parts.in_order():
        segment = part.segment
        is_known = part.catalog.is_whole or (segment.cipher is not None and not segment.cipher.opens_data)
        entries = parts.listed(part, held.entry if held else None) if is_known else _in_stream(part, problems)
        if held is not None and not is_known:
            yield held
        listed = (Listed(segment, entry) for entry in entries if patterns.match(entry.path))
        held = yield from _all_but_last(listed)
    if held is not None:
        yield held
    problems += parts.problems


def _all_but_last(listed: Iterator[Listed]) -> Generator[Listed, None, Listed | None]:
    """The last one is returned: the next part may know more of it."""
    held = None
    for item in listed:
        if held is not None:
            yield held
        held = item
    return held


def _in_stream(part: Part, problems: list[str]) -> Iterator[Entry]:
    return _without_catalog(part.stream, problems, is_inside=part.number > 0) if part.stream else iter(())


def _entries(cartridge: Cartridge, segment: Segment, problems: list[str]) -> Iterator[Entry]:
    found = read_catalog(cartridge.drive, segment)
    with found.tables:
        problems += found.problems
        if found.is_whole or (segment.cipher is not None and not segment.cipher.opens_data):
            yield from found.tables.entries()
            return
    try:
        layout = find_layout(cartridge.drive, segment)
    except VerificationFailed as error:
        problems.append(str(error))
        return
    with PlainStream(cartridge.drive, layout) as stream:
        yield from _without_catalog(stream, problems, is_inside=segment.number > 0)


def _without_catalog(stream: PlainStream, problems: list[str], *, is_inside: bool) -> Iterator[Entry]:
    for item in one_by_one(stream, is_inside=is_inside):
        if isinstance(item, LostMember):
            problems.append(item.why)
        else:
            yield _entry(item.member)


def _entry(member: pax.Member) -> Entry:
    """A catalog entry as far as the stream tells it."""
    return Entry(
        type=_TYPE_OF_PAX[member.type], flags=0, mode=member.mode, uid=member.uid, gid=member.gid,
        owner=member.owner, group=member.group, note=b"", base=0, reference=member.device[0] << 32 | member.device[1],
        inode=0, size=member.size_bytes, valid=member.size_bytes, mtime_ns=member.mtime_ns, ctime_ns=0, offset=0,
        sha256=NO_DIGEST, path=member.path, link=member.link,
    )  # fmt: skip


def mode_text(entry: Entry) -> str:
    """Type and permissions as `ls -l` shows them."""
    kinds = {
        catalog.REGULAR: stat.S_IFREG, catalog.DIRECTORY: stat.S_IFDIR, catalog.SYMLINK: stat.S_IFLNK,
        catalog.HARD_LINK: stat.S_IFREG, catalog.FIFO: stat.S_IFIFO, catalog.CHARACTER_DEVICE: stat.S_IFCHR,
        catalog.BLOCK_DEVICE: stat.S_IFBLK, catalog.SOCKET: stat.S_IFSOCK,
    }  # fmt: skip
    text = stat.filemode(kinds[entry.type] | entry.mode)
    return "h" + text[1:] if entry.type == catalog.HARD_LINK else text


def owner_text(entry: Entry) -> str:
    """Owner and group by name, or by number where there is none."""
    return f"{os.fsdecode(entry.owner) or entry.uid}:{os.fsdecode(entry.group) or entry.gid}"
