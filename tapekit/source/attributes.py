"""Extended attributes and POSIX ACLs, between the file system and the stream.

ACLs travel as text with numeric ids, as star(5) and GNU tar write them; Linux keeps them as binary attributes
(linux/posix_acl_xattr.h: a version, then tag, permissions and id of each entry, little-endian).
"""

import contextlib
import dataclasses
import errno
import operator
import os
import struct

from formats.pax import Member

ACL_ACCESS = "system.posix_acl_access"
ACL_DEFAULT = "system.posix_acl_default"

_VERSION = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_ACL_VERSION = 2
_NO_ID = 0xFFFFFFFF
_TAGS = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}
_NAMED_TAGS = {"user": (0x01, 0x02), "group": (0x04, 0x08), "mask": (0x10, 0x10), "other": (0x20, 0x20)}
_UNSUPPORTED = frozenset((errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP))


@dataclasses.dataclass(frozen=True)
class Attributes:
    """What a file has beside its stat."""

    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    acl_access: bytes | None = None
    acl_default: bytes | None = None


NONE = Attributes()


def read(target: "int | bytes") -> Attributes:
    """The attributes of an open file, or of a path that is not followed. Unreadable single ones are left out."""
    follow = isinstance(target, int)
    try:
        names = os.listxattr(target, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return NONE
        raise
    if not names:
        return NONE
    values: dict[str, bytes] = {}
    for name in names:
        with contextlib.suppress(OSError):
            values[name] = os.getxattr(target, name, follow_symlinks=follow)
    return Attributes(
        xattrs=tuple(sorted((os.fsencode(n), v) for n, v in values.items() if not n.startswith("system."))),
        acl_access=_acl_or_none(values.get(ACL_ACCESS)),
        acl_default=_acl_or_none(values.get(ACL_DEFAULT)),
    )


def write(target: "int | str", member: Member) -> list[str]:
    """Set a member's attributes on an open file or an unfollowed path; says in words which could not be set."""
    follow = isinstance(target, int)
    wanted = [(os.fsdecode(name), value) for name, value in member.xattrs]
    problems = []
    for name, text in ((ACL_ACCESS, member.acl_access), (ACL_DEFAULT, member.acl_default)):
        if text is not None:
            try:
                wanted.append((name, acl_to_binary(text)))
            except ValueError as error:
                problems.append(f"{name}: {error}")
    for name, value in wanted:
        try:
            os.setxattr(target, name, value, follow_symlinks=follow)
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
        except ValueError as error:
            problems.append(f"{name[:80]!r}: {error}")
    return problems


def acl_to_text(binary: bytes) -> bytes:
    """Text form of a binary ACL, entries separated by commas. Raises ValueError for an unknown form."""
    if len(binary) < _VERSION.size or _VERSION.unpack_from(binary)[0] != _ACL_VERSION:
        raise ValueError("an ACL of an unknown version")
    entries = []
    for tag, permissions, number in _ENTRY.iter_unpack(binary[_VERSION.size :]):
        if tag not in _TAGS:
            raise ValueError(f"an ACL entry with the unknown tag {tag:#x}")
        name = str(number) if tag in (0x02, 0x08) else ""
        letters = "".join(c if permissions & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append(f"{_TAGS[tag]}:{name}:{letters}")
    return ",".join(entries).encode()


def acl_to_binary(text: bytes) -> bytes:
    """Binary form of a text ACL with numeric ids. Raises ValueError where it is malformed."""
    entries = []
    for entry in text.decode("ascii").split(","):
        tag, name, letters = entry.split(":")
        if tag not in _NAMED_TAGS or len(letters) != 3 or not set(letters) <= set("rwx-"):  # noqa: PLR2004
            raise ValueError(f"not an ACL entry: {entry[:40]!r}")
        permissions = sum(bit for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if letter in letters)
        number = int(name) if name else _NO_ID
        entries.append((_NAMED_TAGS[tag][bool(name)], permissions, number))
    try:
        entries.sort(key=operator.itemgetter(0))  # the kernel wants the tags in order, and keeps the order within one
        return _VERSION.pack(_ACL_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    except struct.error as error:
        raise ValueError(f"not an ACL: {error}") from error


def _acl_or_none(binary: bytes | None) -> bytes | None:
    """The text of an ACL; an empty one, or one of a form that nobody knows, is none."""
    if not binary or len(binary) <= _VERSION.size:
        return None
    try:
        return acl_to_text(binary)
    except ValueError:
        return None
