"""Tests on real device nodes: they run in the machine that tools/rig boots, and are skipped everywhere else."""

import os
from pathlib import Path

import pytest

from fixtures.rig.qemu import Qemu, connection
from tests.cli.conftest import run

__all__ = ("run",)  # as tests/cli has it

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "TAPEKIT_RIG" in os.environ:  # of suites that run everywhere, only what runs nowhere else
        items[:] = [item for item in items if HERE in item.path.parents or "in the rig" in item.name]
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs the rig's device nodes: tools/rig"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder that the machine shares with its QEMU: files in it become media."""
    return Path(os.environ["TAPEKIT_RIG"])


@pytest.fixture
def qemu() -> Qemu:
    """The machine's own QEMU. It takes one connection, so all tests share it."""
    return connection()
