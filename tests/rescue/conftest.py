"""What the tests of the kit share."""

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.rescue.kit import RESCUE


@pytest.fixture(scope="session")
def kit() -> Iterator[ModuleType]:
    """The kit as a module, for what no command shows."""
    spec = importlib.util.spec_from_file_location("rescue_under_test", RESCUE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]
