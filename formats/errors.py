"""What can be wrong with bytes: one class per thing that a reader can do about it."""


class FormatError(ValueError):
    """Bytes are not what the specification says. Base of all errors in this package."""


class Damaged(FormatError):
    """The bytes are torn, flipped, cut or foreign: go on with the next structure."""


class NewerFormat(FormatError):
    """The bytes were written by a newer version of the format: a newer program reads them."""

    hint = "a newer tapekit wrote it: use that one"


class TooLarge(FormatError):
    """A value does not fit the structure that should hold it: the writer must choose another way."""
