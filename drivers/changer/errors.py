"""What can go wrong at a changer that no drive knows: one class for each thing that a person can do about it."""

from drivers.errors import DriveError


class NoSuchBarcode(DriveError):
    """The cartridge is not in the changer: the hint says what is. Put it in."""


class NoSuchPlace(DriveError):
    """There is no slot or drive of that number."""


class PlaceEmpty(DriveError):
    """Nothing is where something was to be taken from."""


class PlaceFull(DriveError):
    """Something is where something was to be put."""
