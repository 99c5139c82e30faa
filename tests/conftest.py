"""What holds for every test."""

import os
import time

from hypothesis import settings

# No deadline: a shared machine stalls now and then. Derandomized: a run depends on nothing but the code.
settings.register_profile("tapekit", deadline=None, derandomize=True)
settings.load_profile("tapekit")

# A night is a date where the machine is; the tests' nights are in UTC, wherever they run.
os.environ["TZ"] = "UTC"
time.tzset()
