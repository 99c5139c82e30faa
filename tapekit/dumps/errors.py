"""Errors of dumps and commands."""

from tapekit.errors import TapekitError


class DumpFailed(TapekitError):
    """No whole copy of a database was made: it cannot be reached, refuses, or its tool failed."""


class DumpUnreadable(DumpFailed):
    """A dump was written, and is not one: empty, cut short, or damaged."""


class ToolMissing(TapekitError):
    """A program that is needed is not installed."""


class CommandFailed(TapekitError):
    """A command ended with an error."""


class TimedOut(CommandFailed):
    """A command did not end within its time, and was ended."""
