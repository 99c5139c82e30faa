import dataclasses

from tapekit.model import Place
from tapekit.report.ics import several_words
from tapekit.rotation.forecast import Use, forecast
from tapekit.rotation.retention import Reuse
from tests.rotation.made import cartridge, copy, night, policy, stock, weekdays

NAMES = ("MON-1", "TUE-1", "WED-1", "THU-1", "FRI-1")


def test_from_nothing() -> None:
    nights = list(forecast("nightly", stock(), policy(), night("03-02"), night("03-15")))
    assert [each.cartridges[0].name for each in nights] == [*NAMES, *NAMES]
    assert [each.cartridges[0].use for each in nights] == [Use.NEW] * 5 + [Use.APPEND] * 5


def test_what_is_overwritten_and_lost() -> None:
    rule = policy(weekdays(reuse=Reuse.OVERWRITE))
    nights = list(forecast("nightly", stock(), rule, night("03-02"), night("03-15")))
    assert [each.cartridges[0].use for each in nights[5:]] == [Use.OVERWRITE] * 5
    assert str(nights[7].cartridges[0].loss.words(nights[7].night)) == "the only copy of 4 March"


def test_a_full_cartridge() -> None:
    made = [cartridge("MON-1", copy(night("02-23")), left=25), cartridge("TUE-1", copy(night("02-24")), left=25)]
    nights = forecast("nightly", stock(*made), policy(), night("03-02"), night("03-17"), needed_bytes=20)
    uses = [each.cartridges[0].use for each in nights if each.cartridges[0].name == "MON-1"]
    assert uses == [Use.APPEND, Use.OVERWRITE, Use.APPEND]


def test_room_that_is_asked_for_and_not_taken() -> None:
    made = [cartridge(name, copy(night("02-23")), left=45) for name in NAMES]
    nights = list(
        forecast("nightly", stock(*made), policy(), night("03-02"), night("03-15"), needed_bytes=10, margin_bytes=30)
    )
    assert [each.cartridges[0].use for each in nights] == [Use.APPEND] * 5 + [Use.OVERWRITE] * 5


def test_a_label_that_is_no_more() -> None:
    made = dataclasses.replace(cartridge("MON-1"), label="")
    (tonight,) = forecast("nightly", stock(made), policy(), night("03-02"), night("03-02"))
    assert tonight.cartridges[0].use is Use.NEW


def test_what_is_in_the_way() -> None:
    rule = policy(weekdays(days=10))
    made = [cartridge("MON-1", copy(night("02-23")), left=5), cartridge("TUE-1", copy(night("02-24")), left=5)]
    blocked = next(iter(forecast("nightly", stock(*made), rule, night("03-02"), night("03-02"), needed_bytes=20)))
    assert blocked.cartridges[0].use is Use.BLOCKED


def test_cartridges_out_of_service_and_several_a_night() -> None:
    rule = policy(dataclasses.replace(weekdays(sets=3), per_night=2))
    made = [cartridge("MON-2", copy(night("02-23")), place=Place.LOST)]
    nights = list(forecast("nightly", stock(*made), rule, night("03-02"), night("03-09")))
    assert [[each.name for each in night.cartridges] for night in (nights[0], nights[-1])] == [["MON-1", "MON-3"]] * 2


def test_a_night_larger_than_a_cartridge_takes_several() -> None:
    """Cartridges of 100 MiB: what is still needed is left out, and what the rotation lacks is counted."""
    size = 1 << 20
    rule = policy(weekdays(sets=3, days=20))
    made = [
        dataclasses.replace(cartridge(f"MON-{number}", *held), remaining_bytes=left * size, capacity_bytes=100 * size)
        for number, held, left in (
            (1, (copy(night("02-02")),), 3), (2, (copy(night("02-23")),), 3), (3, (copy(night("02-09")),), 3),
        )
    ]  # fmt: skip
    ask = {"first": night("03-02"), "last": night("03-02"), "needed_bytes": 150 * size}
    (tonight,) = forecast("nightly", stock(*made), rule, **ask)  # type: ignore[arg-type]
    assert [(each.name, each.use) for each in tonight.cartridges] == [
        ("MON-1", Use.OVERWRITE),
        ("MON-3", Use.OVERWRITE),
    ]
    assert (tonight.count, tonight.further, tonight.is_set, tonight.choice.names) == (2, 0, True, ("MON-1", "MON-3"))
    assert str(several_words(tonight)) == "the night takes 2 cartridges"
    (more,) = forecast("nightly", stock(*made), rule, **(ask | {"needed_bytes": 350 * size}))  # type: ignore[arg-type]
    assert (more.count, more.further) == (4, 2)
    assert several_words(more).fr == "la nuit prend 4 cartouches ; en plus, vierges ou expirées : 2"
    blocked = stock(dataclasses.replace(made[1], name="MON-1"))
    (none,) = forecast("nightly", blocked, policy(weekdays(days=20)), **ask)  # type: ignore[arg-type]
    assert [each.use for each in none.cartridges] == [Use.BLOCKED]
