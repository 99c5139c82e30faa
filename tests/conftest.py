"""What holds for every test."""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No deadline: a shared machine stalls now and then. Derandomized: a run depends on nothing but the code.
settings.register_profile("tapekit", deadline=None, derandomize=True)
settings.load_profile("tapekit")

# A night is a date where the machine is; the tests' nights are in UTC, wherever they run.
os.environ["TZ"] = "UTC"
time.tzset()


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What no test gives a place of its own goes here, and never into the state of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEKIT_STATE", str(tmp_path_factory.mktemp("state")))
        yield
