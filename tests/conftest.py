"""What holds for every test."""

from hypothesis import settings

# No deadline: a shared machine stalls now and then. Derandomized: a run depends on nothing but the code.
settings.register_profile("tapekit", deadline=None, derandomize=True)
settings.load_profile("tapekit")
