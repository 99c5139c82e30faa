"""Walking a source: every thing in a tree, in order, with what is needed to save it.

Directories are opened relative to their parent, never by a whole path: paths of any length work, and a directory that
is moved or replaced by a link while the walk goes on is not followed.
"""

import contextlib
import dataclasses
import errno
import os
import resource
import stat
from collections.abc import Collection, Iterator, Sequence

from tapekit.errors import TapekitError, UsageError
from tapekit.source import attributes
from tapekit.source.attributes import Attributes
from tapekit.source.exclude import CACHE_TAG_NAME, Excludes, is_cache

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: what was a file when it was listed may be a FIFO when it is opened."""


OWN_FILE = "left out: it is the cartridge being written"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to leave out. `own_files` are (device, inode) of files that must not be saved: the cartridge itself."""

    excludes: Excludes
    one_file_system: bool = False
    exclude_caches: bool = False
    own_files: Collection[tuple[int, int]] = ()


@dataclasses.dataclass
class Thing:
    """One thing in the source. A regular file comes open (`fd`), and is closed when the walk goes on.

    `stat` is None, and `problem` says why, where it could not be looked at; `problem` with a stat means that only
    part of it can be saved. `link` is a symbolic link's target.
    """

    path: bytes
    stat: os.stat_result | None
    fd: int | None = None
    attributes: Attributes = attributes.NONE
    link: bytes = b""
    problem: str = ""


@dataclasses.dataclass
class _Level:
    """A directory on the way down: `names` are what is still to be visited, last first.

    `closed` are those among them that must not be opened: opening a device or a FIFO can have effects.
    """

    fd: int
    path: bytes
    relative: str
    names: list[str]
    closed: set[str]


def raise_descriptor_limit() -> None:
    """Allow as many open directories as the system does: each level of a tree takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@dataclasses.dataclass(frozen=True)
class Sources:
    """The paths to save, as they were given, and the directory that members' paths are relative to."""

    root: str
    paths: tuple[str, ...]


def plan_sources(paths: Sequence[str]) -> Sources:
    """Decide how paths are stored: as tar does, a leading `/` stripped, relative ones relative to here.

    As soon as one is absolute, or leads above the current directory, all are stored as absolute. A path below another
    one is not saved twice. Raises UsageError for an empty path.
    """
    if not all(paths):
        raise UsageError("PATH: an empty one says nothing", "is a variable of the script that calls tapekit not set?")
    normal = [_normal(path) for path in paths]
    here = os.getcwd()
    unfit = [p for p in normal if os.path.isabs(p) or p == "." or p.startswith("..")]
    if unfit or not _is_text(here):
        normal, root = [os.path.normpath(os.path.join(here, p)).replace("//", "/") for p in normal], "/"
    else:
        root = here
    kept: list[str] = []
    for path in sorted(set(normal), key=lambda p: p.split("/")):
        if not any(path == other or path.startswith(other.rstrip("/") + "/") for other in kept):
            kept.append(path)
    return Sources(root, tuple(kept))


def _normal(path: str) -> str:
    """A path without `.`, `..` and double slashes, that names the same thing: `link/..` is not where the link is."""
    normal = os.path.normpath(path)
    if ".." in path.split("/") and os.path.realpath(os.path.dirname(path)) != os.path.realpath(os.path.dirname(normal)):
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return normal


def check_sources(sources: Sources) -> None:
    """Raises TapekitError where none of the source paths can be looked at."""
    problems = []
    for path in sources.paths:
        try:
            os.lstat(os.path.join(sources.root, path))
        except OSError as error:
            problems.append(f"{path}: {(error.strerror or '').lower()}")
    if len(problems) == len(sources.paths):
        raise TapekitError(f"source: nothing to save: {'; '.join(problems)}", "nothing was written")


def given_links(sources: Sources) -> list[bytes]:
    """The source paths that are symbolic links, as they are stored."""
    return [_stored(path) for path in sources.paths if os.path.islink(os.path.join(sources.root, path))]


def _stored(source: str) -> bytes:
    return os.fsencode(source.lstrip("/"))


def walk(sources: Sources, options: Options) -> Iterator[Thing]:
    """Everything below the sources, directories before what is in them, names in order."""
    raise_descriptor_limit()
    for source in sources.paths:
        path = os.path.join(sources.root, source)
        stored = _stored(source)
        try:
            top = os.open(os.path.dirname(path) or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            yield Thing(stored, None, problem=_words(error))
            continue
        try:
            yield from _walk_one(top, os.path.basename(path) or ".", stored, options)
        finally:
            os.close(top)


def _walk_one(top: int, name: str, stored: bytes, options: Options) -> Iterator[Thing]:
    """One source path; the stack holds an open descriptor for each directory on the way down."""
    stack: list[_Level] = []
    try:
        status = os.stat(name, dir_fd=top, follow_symlinks=False)
    except OSError as error:
        yield Thing(stored, None, problem=_words(error))
        return
    device = status.st_dev if options.one_file_system else None
    may_open = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    try:
        yield from _visit(top, name, stored, "", options, stack, device, may_open=may_open)
        while stack:
            level = stack[-1]
            if not level.names:
                os.close(stack.pop().fd)
                continue
            child = level.names.pop()
            stored_child = level.path + b"/" + os.fsencode(child) if level.path else os.fsencode(child)
            relative = f"{level.relative}/{child}" if level.relative else child
            may_open = child not in level.closed
            yield from _visit(level.fd, child, stored_child, relative, options, stack, device, may_open=may_open)
    finally:
        for level in stack:
            os.close(level.fd)


def _visit(  # noqa: PLR0913 - the state of the walk, kept out of an object because this runs for each small file
    parent: int, name: str, stored: bytes, relative: str, options: Options, stack: list[_Level], device: int | None,
    *, may_open: bool,
) -> Iterator[Thing]:  # fmt: skip
    """One name: yields what it is, and puts a directory on the stack."""
    fd = _open(name, parent) if may_open else -1
    if fd < 0:
        thing = _unopened(parent, name, stored)
        is_directory = thing.stat is not None and stat.S_ISDIR(thing.stat.st_mode)
        if not relative or not options.excludes.match(relative, is_directory=is_directory):
            yield thing
        return
    try:
        yield from _visit_open(fd, stored, relative, options, stack, device)
    finally:
        if not (stack and stack[-1].fd == fd):
            os.close(fd)


def _open(name: str, parent: int) -> int:
    """A descriptor for reading, that leaves the access time alone where we may; -1 where it cannot be opened."""
    for flags in (_READ_FLAGS | os.O_NOATIME, _READ_FLAGS):
        try:
            return os.open(name, flags, dir_fd=parent)
        except OSError as error:
            if error.errno != errno.EPERM:  # O_NOATIME is for the owner and root
                break
    return -1


def _visit_open(
    fd: int, stored: bytes, relative: str, options: Options, stack: list[_Level], device: int | None
) -> Iterator[Thing]:
    status = os.fstat(fd)
    is_directory = stat.S_ISDIR(status.st_mode)
    if relative and options.excludes.match(relative, is_directory=is_directory):
        return
    if (status.st_dev, status.st_ino) in options.own_files:
        yield Thing(stored, None, problem=OWN_FILE)
        return
    try:
        found, problem = attributes.read(fd), ""
    except OSError as error:
        found, problem = attributes.NONE, f"its extended attributes cannot be read: {_words(error)}"
    if not is_directory:
        yield Thing(stored, status, fd if stat.S_ISREG(status.st_mode) else None, found, problem=problem)
        return
    names: list[str] = []
    closed: set[str] = set()
    if device is None or status.st_dev == device:
        try:
            names, closed = _list(fd)
        except OSError as error:
            problem = f"cannot be listed: {_words(error)}"
        if options.exclude_caches and names and is_cache(fd):
            names = [CACHE_TAG_NAME]
    if stored:
        yield Thing(stored, status, None, found, problem=problem)
    elif problem:  # the root of the file system, for which a stream has no name
        yield Thing(b".", None, problem=problem)
    stack.append(_Level(fd, stored, relative, names, closed))


def _list(fd: int) -> tuple[list[str], set[str]]:
    """The names in an open directory, last first, and those among them that are neither file nor directory."""
    names: list[str] = []
    closed: set[str] = set()
    with os.scandir(fd) as entries:
        for entry in entries:
            names.append(entry.name)
            if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                closed.add(entry.name)
    names.sort(key=os.fsencode, reverse=True)
    return names, closed


def _unopened(parent: int, name: str, stored: bytes) -> Thing:
    """Something that open(2) does not open: a link, a socket, a device without a driver, or what we may not read."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        return Thing(stored, None, problem=_words(error))
    kind = stat.S_IFMT(status.st_mode)
    thing = Thing(stored, status)
    try:
        if kind == stat.S_IFLNK:
            thing.link = os.readlink(os.fsencode(name), dir_fd=parent)
        elif kind in (stat.S_IFREG, stat.S_IFDIR):
            fd = os.open(name, _READ_FLAGS, dir_fd=parent)  # says why it cannot be opened
            os.close(fd)
        thing.attributes = attributes.read(f"/proc/self/fd/{parent}/{name}")
    except OSError as error:
        thing.problem = _words(error)
    return thing


def _words(error: OSError) -> str:
    """Why, in words for the report."""
    if error.errno == errno.ENOENT:
        return "vanished"
    if error.errno == errno.EMFILE:
        return "the tree is deeper than the system's limit of open files"
    return (error.strerror or str(error)).lower()


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
