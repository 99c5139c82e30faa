import dataclasses
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tapekit.model import Copy, Place
from tapekit.rotation.loss import Kind, losses
from tests.rotation.made import cartridge, copy, night, stock

TODAY = night("03-20")
MONDAY = night("03-02")
WEEK = [copy(night(f"03-{day:02}")) for day in (3, 4, 5, 6, 9)]


def test_the_only_copy_of_3_to_9_march() -> None:
    loss = losses(stock(cartridge("A", *WEEK), cartridge("B", copy(night("03-10")))), {"A"})
    assert loss.words(TODAY).of("en") == "the only copy of 3 to 9 March"
    assert loss.words(TODAY).of("fr") == "la seule copie du 3 au 9 mars"
    assert loss.nights() == {("nightly", each.night) for each in WEEK}


def test_a_night_that_remains_parts_the_span() -> None:
    loss = losses(stock(cartridge("A", *WEEK), cartridge("B", WEEK[2])), {"A"})
    assert str(loss.words(TODAY)) == "the only copy of 3 to 4 March and 6 to 9 March"


def test_nights_far_apart_are_told_one_by_one() -> None:
    mondays = [copy(MONDAY + timedelta(weeks=number)) for number in range(3)]
    loss = losses(stock(cartridge("MON-1", *mondays)), {"MON-1"})
    assert str(loss.words(TODAY)) == "the only copy of 2 March, 9 March and 16 March"


def test_nothing_is_lost_that_is_elsewhere() -> None:
    everything = stock(cartridge("A", *WEEK), cartridge("B", *WEEK))
    assert not losses(everything, {"A"})
    assert str(losses(everything, {"A"}).words(TODAY)) == "nothing"
    assert losses(everything, {"A", "B"}).nights() == {("nightly", each.night) for each in WEEK}


def test_copies_on_lost_and_retired_cartridges_do_not_count() -> None:
    for place in (Place.LOST, Place.RETIRED):
        everything = stock(cartridge("A", *WEEK), cartridge("B", *WEEK, place=place))
        assert losses(everything, {"A"}).nights() == {("nightly", each.night) for each in WEEK}
        assert not losses(everything, {"B"})


def test_a_copy_that_is_not_verified_is_not_as_good() -> None:
    for worse in (copy(MONDAY, verified=False), dataclasses.replace(copy(MONDAY), evidence=())):
        loss = losses(stock(cartridge("A", copy(MONDAY)), cartridge("B", worse)), {"A"})
        assert loss.words(TODAY).of("en") == "the only verified copy of 2 March"
        assert loss.words(TODAY).of("fr") == "la seule copie vérifiée du 2 mars"
        assert not loss.nights()
        assert loss.nights(Kind.VERIFIED) == {("nightly", MONDAY)}


def test_incomplete_and_damaged_copies_replace_nothing() -> None:
    for worse in (copy(MONDAY, complete=False), copy(MONDAY, failed=True)):
        everything = stock(cartridge("A", copy(MONDAY)), cartridge("B", worse))
        assert losses(everything, {"A"}).nights() == {("nightly", MONDAY)}
        assert not losses(everything, {"B"})
        loss = losses(stock(cartridge("B", worse)), {"B"})
        assert not loss.nights()
        assert str(loss.words(TODAY)) == "the only, incomplete copy of 2 March"


def test_several_jobs_are_named() -> None:
    loss = losses(stock(cartridge("A", copy(MONDAY), copy(MONDAY, job="photos"))), {"A"})
    assert loss.words(TODAY).of("en") == "nightly: the only copy of 2 March; photos: the only copy of 2 March"
    french = loss.words(TODAY).of("fr").replace("\xa0", " ")
    assert french == "nightly : la seule copie du 2 mars ; photos : la seule copie du 2 mars"


COPIES = st.lists(
    st.builds(
        copy,
        st.integers(0, 40).map(lambda number: MONDAY + timedelta(number)),
        job=st.sampled_from(("nightly", "photos")),
        verified=st.booleans(),
        complete=st.booleans(),
        failed=st.booleans(),
    ),
    max_size=12,
)
PLACES = st.sampled_from((Place.SHELF, Place.HOME, Place.LOST))


@given(st.lists(st.tuples(COPIES, PLACES), min_size=1, max_size=5), st.sets(st.integers(0, 4)))
def test_exactly_what_vanishes(made: list[tuple[list[Copy], Place]], numbers: set[int]) -> None:
    cartridges = [cartridge(f"C-{n}", *copies, place=place) for n, (copies, place) in enumerate(made)]
    overwritten = {f"C-{number}" for number in numbers}
    loss = losses(stock(*cartridges), overwritten)
    before = {(c.job, c.night) for on in cartridges if on.is_in_service for c in on.copies
              if c.state == "complete" and not c.failed}  # fmt: skip
    after = {(c.job, c.night) for on in cartridges if on.is_in_service and on.name not in overwritten
             for c in on.copies if c.state == "complete" and not c.failed}  # fmt: skip
    assert loss.nights() == before - after
    for lost in loss.jobs:
        assert all(any(first <= each <= last for first, last in lost.spans) for each in lost.nights)
        assert {end for span in lost.spans for end in span} <= set(lost.nights)
        left = {each for job, each in after if job == lost.job}
        assert lost.kind is not Kind.COPY or not any(a <= each <= b for a, b in lost.spans for each in left)
