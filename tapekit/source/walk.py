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
from collections.abc import Callable, Collection, Iterator, Sequence

from tapekit.errors import TapekitError, UsageError
from tapekit.source import attributes
from tapekit.source.attributes import Attributes
from tapekit.source.exclude import CACHE_TAG_NAME, Excludes, is_cache

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: what was a file when it was listed may be a FIFO when it is opened."""

NOT_THERE = "does not exist"
OWN_FILE = "left out: it is the cartridge being written"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to leave out. `own_files` are (device, inode) of files that must not be saved: the cartridge itself.

    A regular file that `is_known`, by its path and state, is neither opened nor looked at further.
    """

    excludes: Excludes
    one_file_system: bool = False
    exclude_caches: bool = False
    own_files: Collection[tuple[int, int]] = ()
    is_known: Callable[[bytes, os.stat_result], bool] | None = None


@dataclasses.dataclass(slots=True)
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
    is_known: bool = False


@dataclasses.dataclass(slots=True)
class _Level:
    """A directory on the way down: `names` are what is still to be visited, last first.

    `prefix` is what stands before a name in its stored path; `relative` the same within the source, None above it.
    `closed` are those among the names that must not be opened: opening a device or a FIFO can have effects.
    """

    fd: int
    prefix: bytes
    relative: bytes | None
    names: list[bytes]
    closed: set[bytes]


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


def plan_sources(paths: Sequence[str], *, one_file_system: bool = False) -> Sources:
    """Decide how paths are stored: as tar does, a leading `/` stripped, relative ones relative to here.

    As soon as one is absolute, or leads above the current directory, all are stored as absolute. A path below another
    one is not saved twice, unless the walk would not come by it: it does not exist, which is to be told, the one above
    is a link, or, with `one_file_system`, on another one. Raises UsageError for an empty path.
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
        above = [os.path.join(root, other) for other in kept if path.startswith(other.rstrip("/") + "/")]
        if not _comes_by(os.path.join(root, path), above, one_file_system=one_file_system):
            kept.append(path)
    return Sources(root, tuple(kept))


def _comes_by(path: str, above: Sequence[str], *, one_file_system: bool) -> bool:
    """Whether the walk of one of the paths above a path comes by it."""
    try:
        device = os.lstat(path).st_dev
    except OSError:
        return False
    return any(
        not os.path.islink(other) and not (one_file_system and os.lstat(other).st_dev != device) for other in above
    )


def _normal(path: str) -> str:
    """A path without `.`, `..` and double slashes, that names the same thing: `link/..` is not where the link is."""
    normal = os.path.normpath(path)
    if ".." in path.split("/") and os.path.realpath(os.path.dirname(path)) != os.path.realpath(os.path.dirname(normal)):
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return normal


class NothingToSave(TapekitError):
    """Nothing of what should be saved is there."""


def check_sources(sources: Sources) -> None:
    """Raises NothingToSave where none of the source paths can be looked at."""
    problems = []
    for path in sources.paths:
        try:
            os.lstat(os.path.join(sources.root, path))
        except OSError as error:
            problems.append(f"{path}: {(error.strerror or '').lower()}")
    if len(problems) == len(sources.paths):
        raise NothingToSave(f"source: nothing to save: {'; '.join(problems)}", "nothing was written")


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
        name = os.fsencode(os.path.basename(path))
        stack: list[_Level] = []
        try:
            top = os.open(os.path.dirname(path) or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.append(_Level(top, stored[: len(stored) - len(name)], None, [name or b"."], set()))
            status = os.stat(name or b".", dir_fd=top, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                stack[0].closed.add(name)
        except OSError as error:
            yield Thing(stored, None, problem=NOT_THERE if isinstance(error, FileNotFoundError) else _words(error))
        else:
            yield from _descend(stack, options, status.st_dev if options.one_file_system else None)
        finally:
            for level in stack:
                os.close(level.fd)


def _descend(stack: list[_Level], options: Options, device: int | None) -> Iterator[Thing]:
    """All that the lowest level names; the stack holds an open descriptor for each directory on the way down."""
    excludes = options.excludes or None
    while stack:
        level = stack[-1]
        if not level.names:
            os.close(stack.pop().fd)
            continue
        name = level.names.pop()
        stored = level.prefix + name if name != b"." else b""
        relative = b"" if level.relative is None else level.relative + name
        known = _known(level.fd, name, stored, options) if options.is_known and name not in level.closed else None
        fd = -1 if known or name in level.closed else _open(name, level.fd)
        try:
            thing = known or (_unopened(level.fd, name, stored) if fd < 0 else _opened(fd, stored, options))
            if excludes and relative and excludes.match(os.fsdecode(relative), is_directory=_is_directory(thing)):
                continue
            if fd >= 0 and thing.stat and stat.S_ISDIR(thing.stat.st_mode):
                below = _Level(fd, stored and stored + b"/", relative and relative + b"/", [], set())
                stack.append(below)
                if device is None or thing.stat.st_dev == device:
                    _list(below, thing, options)
            if stored:
                yield thing
            elif thing.problem:  # the root of the file system, for which a stream has no name
                yield Thing(b".", None, problem=thing.problem)
        finally:
            if fd >= 0 and stack[-1].fd != fd:
                os.close(fd)


def _is_directory(thing: Thing) -> bool:
    return thing.stat is not None and stat.S_ISDIR(thing.stat.st_mode)


def _known(parent: int, name: bytes, stored: bytes, options: Options) -> Thing | None:
    """A regular file that need not be opened."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in options.own_files:
        return None
    assert options.is_known is not None  # noqa: S101 - the caller has seen to it
    return Thing(stored, status, is_known=True) if options.is_known(stored, status) else None


def _open(name: bytes, parent: int) -> int:
    """A descriptor for reading, that leaves the access time alone where we may; -1 where it cannot be opened."""
    try:
        return os.open(name, _READ_FLAGS | os.O_NOATIME, dir_fd=parent)
    except PermissionError as error:
        if error.errno != errno.EPERM:  # O_NOATIME is for the owner and root
            return -1
    except OSError:
        return -1
    try:
        return os.open(name, _READ_FLAGS, dir_fd=parent)
    except OSError:
        return -1


def _opened(fd: int, stored: bytes, options: Options) -> Thing:
    """What an open descriptor is."""
    status = os.fstat(fd)
    if options.own_files and (status.st_dev, status.st_ino) in options.own_files:
        return Thing(stored, None, problem=OWN_FILE)
    thing = Thing(stored, status, fd if stat.S_ISREG(status.st_mode) else None)
    try:
        thing.attributes = attributes.read(fd)
    except OSError as error:
        thing.problem = f"its extended attributes cannot be read: {_words(error)}"
    return thing


def _list(level: _Level, directory: Thing, options: Options) -> None:
    """The names in an open directory, into its level; what goes wrong is the directory's problem."""
    try:
        with os.scandir(level.fd) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                level.names.append(name)
                if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                    level.closed.add(name)
    except OSError as error:
        directory.problem = f"cannot be listed: {_words(error)}"
        level.names.clear()
    level.names.sort(reverse=True)
    if options.exclude_caches and level.names and is_cache(level.fd):
        level.names = [os.fsencode(CACHE_TAG_NAME)]


def _unopened(parent: int, name: bytes, stored: bytes) -> Thing:
    """Something that open(2) does not open: a link, a socket, a device without a driver, or what we may not read."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        return Thing(stored, None, problem=_words(error))
    kind = stat.S_IFMT(status.st_mode)
    thing = Thing(stored, status)
    try:
        if kind == stat.S_IFLNK:
            thing.link = os.readlink(name, dir_fd=parent)
        elif kind in (stat.S_IFREG, stat.S_IFDIR):
            fd = os.open(name, _READ_FLAGS, dir_fd=parent)  # says why it cannot be opened
            os.close(fd)
        thing.attributes = attributes.read(b"/proc/self/fd/%d/%b" % (parent, name))
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
