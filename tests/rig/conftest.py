"""Tests on real device nodes: they run in the machine that tools/rig boots, and are skipped everywhere else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.rig.qemu import Qemu

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "TAPEKIT_RIG" in os.environ:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs the rig's device nodes: tools/rig"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder that the machine shares with its QEMU: files in it become media."""
    return Path(os.environ["TAPEKIT_RIG"])


@pytest.fixture(scope="session")
def qemu() -> Iterator[Qemu]:
    """The machine's own QEMU. One connection, so one for all tests."""
    with Qemu() as connection:
        yield connection
