"""Putting members back: below one directory, and never anywhere else.

Every directory on the way is opened relative to the one above it and without following links, so that neither `..`
nor a link planted on the way leads out. A file is written under a name nobody knows, gets its attributes, and only
then takes its own name.
"""

import contextlib
import dataclasses
import enum
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator

from formats import pax
from formats.pax import Member
from tapekit.errors import TapekitError
from tapekit.source import attributes
from tapekit.source.walk import raise_descriptor_limit

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Overwrite(enum.Enum):
    """What to do where a file is there already."""

    NEVER = "never"
    OLDER = "older"
    ALWAYS = "always"


class Refused(Exception):
    """A member cannot, or must not, be put back; the message says why."""


class Skipped(Refused):
    """A member is left out because the options say so."""


@dataclasses.dataclass
class _Level:
    """An open directory on the way down; `member` gives it its attributes when it is left.

    `made`: this run made it.
    """

    name: bytes
    fd: int
    made: bool
    member: Member | None = None


class Target:
    """The directory that members are put back below."""

    def __init__(self, path: str, overwrite: Overwrite, *, devices: bool) -> None:
        """Make and open the directory. Raises TapekitError where that fails."""
        raise_descriptor_limit()
        self.warnings: list[tuple[bytes, str]] = []
        self._overwrite = overwrite
        self._devices = devices
        self._is_root = os.geteuid() == 0
        try:
            os.makedirs(path, exist_ok=True)
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TapekitError(f"{path}: cannot be used as the target: {(error.strerror or '').lower()}") from error
        self._levels: list[_Level] = []
        self._made_without_member: set[tuple[int, int]] = set()
        """Directories that were made for what is in them, and whose own member may still come."""

    def close(self) -> None:
        """Give the directories that are still open their attributes, and let go."""
        self._leave_to(0)
        os.close(self._root)

    # --- members ----------------------------------------------------------------------------------------------

    def put_directory(self, member: Member) -> None:
        """Make a directory, or take the one that is there; its attributes are set when the last of its content is in.

        One that was there before this run keeps its attributes, unless files are overwritten too. Raises Refused.
        """
        self._enter(_components(member.path), 0o700)
        level = self._levels[-1]
        if level.made or self._overwrite is not Overwrite.NEVER:
            level.member = member

    def put_file(
        self, member: Member, content: Iterator[memoryview], valid_bytes: Callable[[], int | None] = lambda: None, *,
        makes_holes: bool = False,
    ) -> None:  # fmt: skip
        """Write a regular file; `valid_bytes`, asked when all was written, cuts it where the rest is not real.

        With `makes_holes`, long runs of zeros take no room.

        What `content` raises leaves nothing behind and is passed on. Raises Refused.
        """
        with self._place(member) as (parent, temporary):
            fd = os.open(temporary, _CREATE, 0o600, dir_fd=parent)
            try:
                _write_content(fd, member, content, makes_holes=makes_holes)
                valid = valid_bytes()
                size = member.size_bytes if valid is None else min(valid, member.size_bytes)
                os.ftruncate(fd, size)
                self._set_attributes(member, fd)
            finally:
                os.close(fd)

    def put_special(self, member: Member) -> None:
        """Make a symbolic link, FIFO or device node. Raises Refused, and Skipped for devices not asked for."""
        is_device = member.type in (pax.CHARACTER_DEVICE, pax.BLOCK_DEVICE)
        if is_device and not self._devices:
            raise Skipped("a device node: left out without --devices")
        with self._place(member) as (parent, temporary):
            if member.type == pax.SYMLINK:
                os.symlink(member.link, temporary, dir_fd=parent)
            elif member.type == pax.FIFO:
                os.mkfifo(temporary, 0o600, dir_fd=parent)
            elif is_device:
                kind = stat.S_IFCHR if member.type == pax.CHARACTER_DEVICE else stat.S_IFBLK
                os.mknod(temporary, kind | 0o600, os.makedev(*member.device), dir_fd=parent)
            else:
                raise Refused(f"a member of type {member.type!r}")
            self._set_attributes_by_name(member, parent, temporary)

    def put_hard_link(self, member: Member, first_name: bytes) -> None:
        """Give a file that was put back in this run a second name. Raises Refused."""
        source = _components(first_name)
        with self._place(member) as (parent, temporary), self._looked_up(source[:-1]) as folder:
            os.link(source[-1], temporary, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)

    # --- places -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _place(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """Parent directory and temporary name to make the member under; at the end it takes its own name."""
        components = _components(member.path)
        name = components[-1]
        temporary = b".tapekit-" + secrets.token_hex(8).encode()
        try:
            parent = self._enter(components[:-1])
            self._allow(parent, name, member)
            try:
                yield parent, temporary
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            finally:
                with contextlib.suppress(OSError):  # gone under its own name, or left where both name one file
                    os.unlink(temporary, dir_fd=parent)
        except OSError as error:
            raise _refusal(error) from error

    def _allow(self, parent: int, name: bytes, member: Member) -> None:
        """Raises Skipped where something is there that the options keep."""
        try:
            there = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(there.st_mode):
            raise Refused("a directory is in its place")
        if self._overwrite is Overwrite.NEVER:
            raise Skipped("already there: left as it is")
        if self._overwrite is Overwrite.OLDER and there.st_mtime_ns >= member.mtime_ns:
            raise Skipped("already there, and not older: left as it is")

    def _enter(self, components: list[bytes], last_mode: int = 0o777) -> int:
        """The open directory that `components` lead to, made where it is missing.

        One that no member describes has the mode that the user's umask gives; the last one has `last_mode` until its
        member's own is set.
        """
        shared = 0
        for level, component in zip(self._levels, components, strict=False):
            if level.name != component:
                break
            shared += 1
        self._leave_to(shared)
        for depth, component in enumerate(components[shared:], shared + 1):
            mode = last_mode if depth == len(components) else 0o777
            parent = self._levels[-1].fd if self._levels else self._root
            try:
                fd, made = _open_or_make_directory(component, parent, mode)
            except OSError as error:
                raise _refusal(error) from error
            self._levels.append(_Level(component, fd, made or _identity(fd) in self._made_without_member))
        return self._levels[-1].fd if self._levels else self._root

    def _leave_to(self, depth: int) -> None:
        """Close the directories below `depth`, and give them their attributes."""
        while len(self._levels) > depth:
            level = self._levels.pop()
            try:
                if level.member is not None:
                    self._set_attributes(level.member, level.fd)
                elif level.made:
                    self._made_without_member.add(_identity(level.fd))
            except OSError as error:
                path = level.member.path if level.member else level.name
                self.warnings.append((path, f"its attributes: {(error.strerror or '').lower()}"))
            finally:
                os.close(level.fd)

    @contextlib.contextmanager
    def _looked_up(self, components: list[bytes]) -> Iterator[int]:
        """The open directory that `components` lead to; nothing is made."""
        fd = os.dup(self._root)
        try:
            for component in components:
                below = os.open(component, _OPEN_DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
            yield fd
        finally:
            os.close(fd)

    # --- attributes -------------------------------------------------------------------------------------------

    def _set_attributes(self, member: Member, fd: int) -> None:
        """Owner, mode, attributes, times, in the order in which none undoes another."""
        os.fchmod(fd, self._set_owner(member, lambda uid, gid: os.fchown(fd, uid, gid)))
        self.warnings += [(member.path, problem) for problem in attributes.write(fd, member)]
        os.utime(fd, ns=_times(member))

    def _set_attributes_by_name(self, member: Member, parent: int, name: bytes) -> None:
        mode = self._set_owner(member, lambda uid, gid: os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False))
        if member.type != pax.SYMLINK:
            os.chmod(name, mode, dir_fd=parent)
        problems = attributes.write(f"/proc/self/fd/{parent}/{os.fsdecode(name)}", member)
        self.warnings += [(member.path, problem) for problem in problems]
        os.utime(name, ns=_times(member), dir_fd=parent, follow_symlinks=False)

    def _set_owner(self, member: Member, chown: Callable[[int, int], None]) -> int:
        """Set the owner where that is ours to do; the mode that the file may then have."""
        if self._is_root:
            try:
                chown(member.uid, member.gid)
            except (OSError, OverflowError) as error:
                self.warnings.append((member.path, f"owner {member.uid}:{member.gid}: {error}"))
                return member.mode & 0o1777
            return member.mode
        is_ours = member.uid == os.geteuid() and member.gid in (os.getegid(), *os.getgroups())
        if is_ours:
            with contextlib.suppress(OSError):
                chown(-1, member.gid)
        return member.mode if is_ours else member.mode & 0o1777


def _components(path: bytes) -> list[bytes]:
    """The parts of a member's path. Raises Refused for a path that leads anywhere but down."""
    components = path.split(b"/")
    if any(part in (b"", b".", b"..") for part in components) or b"\0" in path:
        raise Refused("its name does not lead below the target")
    return components


def _open_or_make_directory(name: bytes, parent: int, mode: int) -> tuple[int, bool]:
    """An open directory, and whether it had to be made."""
    try:
        return os.open(name, _OPEN_DIRECTORY, dir_fd=parent), False
    except FileNotFoundError:
        os.mkdir(name, mode, dir_fd=parent)
        return os.open(name, _OPEN_DIRECTORY, dir_fd=parent), True


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _refusal(error: OSError) -> Exception:
    """A full or failing target ends the restore; anything else concerns one member."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
        return TapekitError(f"target: {(error.strerror or '').lower()}", "what was restored before is complete")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Refused("something that is no directory, or a link, stands on the way")
    return Refused((error.strerror or str(error)).lower())


def _write_content(fd: int, member: Member, content: Iterator[memoryview], *, makes_holes: bool = False) -> None:
    """The stored content at the places where it belongs."""
    extents = iter(((0, member.size_bytes),) if member.sparse is None else member.sparse)
    place, left = 0, 0
    for part in content:
        rest = part
        is_hole = makes_holes and len(part) <= left and part[0] == 0 and not any(part)
        if is_hole:  # the file is new, and gets its size at the end
            place, left, rest = place + len(part), left - len(part), part[:0]
        while rest:
            while left == 0:
                place, left = next(extents)
            done = os.pwrite(fd, rest[:left], place)
            place, left, rest = place + done, left - done, rest[done:]


def _times(member: Member) -> tuple[int, int]:
    """Access and modification time."""
    return (member.mtime_ns if member.atime_ns is None else member.atime_ns, member.mtime_ns)
