"""The catalog's password comes from a file that its owner alone can read, and stands in no message."""

from pathlib import Path

import pytest

from tapekit.errors import UsageError
from tapekit.jobs.lookup import place

URL = "postgresql://tapekit@db/tapekit"


def password(path: Path, content: bytes = b"s3cret: @/\n", mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_first_line(tmp_path: Path) -> None:
    assert place(tmp_path, URL, password(tmp_path / "p")) == "postgresql://tapekit:s3cret%3A %40%2F@db/tapekit"


@pytest.mark.parametrize(("content", "mode"), ((b"s3cret\n", 0o644), (b"", 0o600)))
def test_what_cannot_be_used(tmp_path: Path, content: bytes, mode: int) -> None:
    with pytest.raises(UsageError) as caught:
        place(tmp_path, URL, password(tmp_path / "p", content, mode))
    assert str(caught.value).startswith("catalog password: ")
    assert "s3cret" not in str(caught.value)


def test_none_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        place(tmp_path, URL, tmp_path / "p")
