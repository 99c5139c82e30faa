"""Public holidays of a country, from the `holidays` library."""

from collections.abc import Iterable
from datetime import date

from tapekit.errors import UsageError


def public_holidays(country: str, years: Iterable[int], region: str | None = None) -> frozenset[date]:
    """The public holidays of those years, by ISO 3166 codes of the country and its subdivision.

    Raises UsageError where the library does not know one of them.
    """
    import holidays  # noqa: PLC0415 - a large library, for those who use it

    try:
        return frozenset(holidays.country_holidays(country, subdiv=region, years=years))
    except NotImplementedError as error:
        where = f"{country}, {region}" if region else country
        raise UsageError(
            f"calendar: {where}: its public holidays are not known", "leave country out, and name the days in holidays"
        ) from error
