"""The site's own key: made once, for this site alone, and never silently again."""

from pathlib import Path

import pytest

from formats import publickey
from tapekit.errors import KeyRefused
from tapekit.keys.site import is_signed, site_key


def test_made_once(tmp_path: Path) -> None:
    first = site_key(tmp_path / "state")
    assert site_key(tmp_path / "state").public == first.public
    assert (tmp_path / "state" / "site.key").stat().st_mode & 0o777 == 0o600
    assert publickey.parse(publickey.build(first.line("Lyon"))).key == first.public


def test_signs(tmp_path: Path) -> None:
    key, other = site_key(tmp_path / "a"), site_key(tmp_path / "b")
    signature = key.sign(b"message")
    assert is_signed(key.public, b"message", signature)
    assert not is_signed(key.public, b"massage", signature)
    assert not is_signed(other.public, b"message", signature)
    assert not is_signed(b"no key", b"message", signature)
    assert not is_signed(key.public, b"message", b"none")


@pytest.mark.parametrize(
    "content", (b"", b"tapekit-site-key-1 zz", b"tapekit-site-key-1 00", b"tapekit-site-key-2 " + b"00" * 32)
)
def test_a_damaged_one_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    site_key(tmp_path)
    (tmp_path / "site.key").write_bytes(content)
    with pytest.raises(KeyRefused):
        site_key(tmp_path)
    assert (tmp_path / "site.key").read_bytes() == content


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    site_key(tmp_path)
    (tmp_path / "site.key").chmod(0o640)
    with pytest.raises(KeyRefused, match="others can read it"):
        site_key(tmp_path)


def test_its_private_half_is_never_shown(tmp_path: Path) -> None:
    key = site_key(tmp_path)
    assert key.private.private_bytes_raw().hex() not in repr(key)
