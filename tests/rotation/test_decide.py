import dataclasses
from collections.abc import Sequence

import pytest

from tapekit.errors import Exit
from tapekit.model import Cartridge, Stock
from tapekit.rotation.choose import choose
from tapekit.rotation.decide import Action, Decision, InReach, Night, Outcome, State, decide
from tapekit.rotation.retention import Reuse
from tests.rotation.made import cartridge, copy, night, policy, stock, weekdays

TODAY = night("03-09")
EXPIRED = copy(night("03-02"))
TUESDAY = cartridge("TUE-1", copy(night("03-03")), left=50)
FULL_TUESDAY = cartridge("TUE-1", copy(night("03-03")), left=5)
FULL_WEDNESDAY = cartridge("WED-1", copy(night("02-25")), copy(night("03-03")), left=5)
FRIDAY = cartridge("FRI-1", copy(night("03-06")), left=5)
MONDAY = cartridge("MON-1", EXPIRED, left=50)


def tonight(known: Stock, **changed: object) -> Night:
    turn = weekdays().scheme.turn(TODAY, weekdays().calendar)
    assert turn
    night = Night(TODAY, choose(turn, known), Reuse.APPEND, 10, 1000)
    return dataclasses.replace(night, **changed)  # type: ignore[arg-type]


def deciding(in_reach: Sequence[Cartridge | InReach], known: Sequence[Cartridge] = (), **changed: object) -> Decision:
    drives = [
        InReach(f"drive {number}", State.OWN, each) if isinstance(each, Cartridge) else each
        for number, each in enumerate(in_reach)
    ]  # fmt: skip
    names = {each.name for each in known}
    own = [each for each in in_reach if isinstance(each, Cartridge) and each.name not in names]
    everything = stock(*known, *own)
    return decide(tonight(everything, **changed), drives, everything, policy())


def taken(decision: Decision) -> tuple[Action, str | None, Outcome]:
    assert decision.way
    return decision.way.action, decision.way.cartridge, decision.outcome


def test_the_right_cartridge() -> None:
    others = (TUESDAY, FRIDAY)
    decision = deciding([MONDAY], others)
    assert taken(decision) == (Action.APPEND, "MON-1", Outcome.CLEAN)
    assert not decision.refused
    overwritten = deciding([MONDAY], others, reuse=Reuse.OVERWRITE)
    assert taken(overwritten) == (Action.OVERWRITE, "MON-1", Outcome.CLEAN)
    assert overwritten.way
    assert str(overwritten.way.words(TODAY)) == "overwrite MON-1, which loses the only copy of 2 March"
    assert taken(deciding([MONDAY], others, needed_bytes=60)) == (Action.OVERWRITE, "MON-1", Outcome.CLEAN)


def test_the_right_cartridge_that_must_not_be_overwritten_is_appended_to() -> None:
    young = cartridge("MON-1", copy(night("03-08")), left=50)
    assert taken(deciding([young], [TUESDAY], reuse=Reuse.OVERWRITE)) == (Action.APPEND, "MON-1", Outcome.CLEAN)


def test_the_right_one_in_the_second_drive() -> None:
    assert taken(deciding([TUESDAY, MONDAY])) == (Action.APPEND, "MON-1", Outcome.CLEAN)


def test_behind_what_is_on_the_wrong_one() -> None:
    decision = deciding([TUESDAY], [MONDAY])
    assert taken(decision) == (Action.APPEND, "TUE-1", Outcome.WARNING)
    assert [str(why) for _, why in decision.refused] == ["TUE-1 is in, MON-1 is wanted"]
    assert [way.action for way in decision.others] == [Action.OVERWRITE, Action.SPOOL]
    assert decision.way
    assert not decision.way.loss


def test_over_the_one_that_loses_least_then_the_oldest() -> None:
    one_night = cartridge("WED-1", copy(night("02-25")), left=5)
    decision = deciding([FULL_WEDNESDAY, FULL_TUESDAY, FRIDAY], [MONDAY])
    assert taken(decision) == (Action.OVERWRITE, "TUE-1", Outcome.WARNING)
    assert taken(deciding([FULL_TUESDAY, one_night], [MONDAY])) == (Action.OVERWRITE, "WED-1", Outcome.WARNING)


@pytest.mark.parametrize(
    ("reach", "why"),
    (
        (FRIDAY, "protected until 12 March"),
        (dataclasses.replace(MONDAY, is_locked=True), "put in for a restore; eject it first"),
        (dataclasses.replace(MONDAY, is_write_protected=True), "write-protected"),
        (dataclasses.replace(MONDAY, site="elsewhere"), "of another site: elsewhere"),
        (InReach("d", State.EMPTY), "no cartridge"),
        (InReach("d", State.BAD), "does not work"),
        (InReach("d", State.FOREIGN), "holds something that is not this site’s"),
        (InReach("d", State.OWN), "its label cannot be read"),
        (InReach("d", State.BLANK, is_write_protected=True), "blank, and write-protected"),
        (InReach("d", State.BLANK, capacity_bytes=9), "blank, and too small"),
    ),
)
def test_the_spool_takes_what_nothing_else_may(reach: Cartridge | InReach, why: str) -> None:
    decision = deciding([reach], [TUESDAY])
    assert taken(decision) == (Action.SPOOL, None, Outcome.SPOOLED)
    assert why in [str(words) for _, words in decision.refused]
    assert deciding([reach], [TUESDAY], spool_bytes=None).way is None
    full = deciding([reach], [TUESDAY], spool_bytes=9)
    assert full.outcome is Outcome.NOTHING
    assert ("spool", "not enough room") in [(where, str(words)) for where, words in full.refused]


def test_blank_media() -> None:
    blank = InReach("d", State.BLANK, capacity_bytes=100)
    assert taken(deciding([blank], [TUESDAY])) == (Action.LABEL, "MON-1", Outcome.CLEAN)
    assert taken(deciding([blank], [MONDAY])) == (Action.LABEL, "SPARE-1", Outcome.WARNING)
    spare = cartridge("SPARE-1")
    assert taken(deciding([blank], [MONDAY, spare])) == (Action.LABEL, "SPARE-2", Outcome.WARNING)
    assert taken(deciding([blank, TUESDAY], [MONDAY])) == (Action.APPEND, "TUE-1", Outcome.WARNING)
    assert taken(deciding([blank, FULL_TUESDAY], [MONDAY])) == (Action.LABEL, "SPARE-1", Outcome.WARNING)


def test_a_second_copy_goes_on_another_cartridge_and_is_never_spooled() -> None:
    decision = deciding([MONDAY], [TUESDAY], written=("MON-1",))
    assert decision.way is None
    assert [str(why) for _, why in decision.refused] == ["MON-1 has this night already"]


def test_the_pool_of_the_night_first_then_the_most_room() -> None:
    weekly = cartridge("WEEKLY-1", left=90, pool="weekly")
    roomy = cartridge("WED-1", left=60)
    assert taken(deciding([weekly, TUESDAY, roomy], [MONDAY])) == (Action.APPEND, "WED-1", Outcome.WARNING)


def test_exit_codes() -> None:
    codes = [outcome.exit_code for outcome in Outcome]
    assert codes == [Exit.DONE, Exit.WARNINGS, Exit.CARTRIDGE, Exit.FAILED]


def test_every_way_in_both_languages() -> None:
    decision = deciding([FULL_TUESDAY], [MONDAY])
    assert decision.way
    assert decision.way.words(TODAY).of("fr") == "écraser TUE-1, ce qui fait perdre la seule copie du 3 mars"
    assert str(decision.others[0].words(TODAY)) == "spool to the server’s disk"


# --- over several cartridges -----------------------------------------------------------------------------------------

MB = 1 << 20


def sized(of: Cartridge, room: int, capacity: int = 100) -> Cartridge:
    """With room and capacity in MiB."""
    return dataclasses.replace(of, remaining_bytes=room * MB, capacity_bytes=capacity * MB)


def large(
    in_reach: Sequence[Cartridge], known: Sequence[Cartridge] = (), *, needed: int = 150, spool: int | None = None,
    **changed: object,
) -> Decision:  # fmt: skip
    """Sizes in MiB."""
    size = None if spool is None else spool * MB
    return deciding(in_reach, known, needed_bytes=needed * MB, spool_bytes=size, **changed)


def test_a_night_larger_than_any_cartridge_goes_over_several() -> None:
    decision = large([sized(MONDAY, 50), sized(TUESDAY, 60)])
    assert decision.way
    assert (decision.way.action, decision.way.cartridge, decision.way.goes_on) == (Action.OVERWRITE, "MON-1", True)
    assert taken(decision)[2] is Outcome.CLEAN
    assert str(decision.way.words(TODAY)) == (
        "overwrite MON-1, then go on on another one, which loses the only copy of 2 March"
    )


def test_what_must_be_kept_is_no_part_of_the_room() -> None:
    """Monday's cartridge takes 100 MiB; Friday's is not expired, and has room for 40 behind what it holds."""
    friday = sized(FRIDAY, 40)
    assert large([sized(MONDAY, 50), friday]).way is None
    decision = large([sized(MONDAY, 50), friday], needed=135)
    assert taken(decision) == (Action.OVERWRITE, "MON-1", Outcome.CLEAN)


def test_the_rest_has_its_place_in_the_spool_or_nothing_is_begun() -> None:
    assert large([sized(MONDAY, 50)], [TUESDAY], spool=49).way is None
    assert taken(large([sized(MONDAY, 50)], [TUESDAY], spool=50))[:2] == (Action.OVERWRITE, "MON-1")


def test_with_somebody_there_nothing_else_is_needed() -> None:
    assert taken(large([sized(MONDAY, 50)], can_ask=True))[1] == "MON-1"


def test_one_cartridge_that_takes_it_all_comes_first_and_so_does_the_whole_in_the_spool() -> None:
    """A night that fits an empty cartridge is not divided, where there is another way."""
    friday = sized(FRIDAY, 40)
    assert taken(large([friday, sized(TUESDAY, 70)], [MONDAY], needed=60, spool=1000))[:2] == (Action.APPEND, "TUE-1")
    assert taken(large([friday], [MONDAY], needed=60, spool=1000))[0] is Action.SPOOL
    assert taken(large([friday], [MONDAY], needed=60, spool=30)) == (Action.APPEND, "FRI-1", Outcome.WARNING)


def test_the_rest_goes_on_elsewhere_and_may_be_spooled() -> None:
    def rest(*in_reach: Cartridge, needed: int = 60, is_rest: bool = True, **changed: object) -> Decision:
        return large(in_reach, (), needed=needed, spool=1000, written=("MON-1",), is_rest=is_rest, **changed)

    assert taken(rest(sized(MONDAY, 90), sized(TUESDAY, 70)))[1] == "TUE-1"
    assert taken(rest(sized(MONDAY, 90)))[0] is Action.SPOOL
    assert taken(rest(sized(MONDAY, 90), sized(TUESDAY, 30), needed=150))[1] == "TUE-1"
    copied = rest(sized(MONDAY, 90), sized(TUESDAY, 30), needed=150, is_rest=False)
    assert copied.way is None  # a further copy is not divided
    assert taken(rest(sized(MONDAY, 90), sized(TUESDAY, 30), needed=150, is_divisible=False))[0] is Action.SPOOL


def test_too_little_room_is_no_part() -> None:
    assert large([sized(FRIDAY, 3)], [MONDAY], needed=60, spool=59).way is None
    assert large([sized(FRIDAY, 5)], [MONDAY], needed=60, spool=59).way
    assert large([sized(FRIDAY, 5)], [MONDAY], needed=120, spool=119).way is None
