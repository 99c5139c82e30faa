import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import Damaged
from formats.scsi import sense
from formats.scsi.sense import Key, Sense

SENSES = st.builds(
    Sense, st.sampled_from(tuple(Key)), st.integers(0, 255), st.integers(0, 255), st.booleans(), st.booleans(),
    st.booleans(), st.none() | st.integers(-(1 << 31), (1 << 31) - 1), st.booleans(),
)  # fmt: skip


@given(SENSES)
def test_both_formats_say_the_same(made: Sense) -> None:
    assert sense.parse(sense.build(made)) == made
    assert sense.parse(sense.build_descriptors(made)) == made


@given(SENSES, st.integers(1, 40))
def test_what_is_cut_off_counts_as_zero(made: Sense, size: int) -> None:
    for data in (sense.build(made), sense.build_descriptors(made)):
        assert sense.parse(data[:size]).is_deferred == made.is_deferred


@pytest.mark.parametrize("raw", (b"", b"\0" * 18, b"\x7f" + bytes(17)))
def test_what_is_no_sense_data(raw: bytes) -> None:
    with pytest.raises(Damaged, match="response code"):
        sense.parse(raw)


@given(st.binary(max_size=64))
def test_any_bytes_are_sense_data_or_are_refused(raw: bytes) -> None:
    with contextlib.suppress(Damaged):
        sense.parse(raw)


def test_as_drives_send_it() -> None:
    # a block 4096 bytes larger than the buffer; early warning; a deferred write error (SSC-4, tables of section 4.2)
    too_large = bytes.fromhex("f0 00 20 ff ff f0 00 0a 00 00 00 00 00 00 00 00 00 00")
    assert sense.parse(too_large) == Sense(Key.NO_SENSE, ili=True, information=-4096)
    warning = bytes.fromhex("f0 00 40 00 00 00 00 0a 00 00 00 00 00 02 00 00 00 00")
    assert sense.parse(warning) == Sense(Key.NO_SENSE, 0x00, 0x02, eom=True, information=0)
    deferred = bytes.fromhex("71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00")
    assert str(sense.parse(deferred)) == "03/0C/00 (deferred)"


def test_information_of_64_bits() -> None:
    made = Sense(Key.BLANK_CHECK, 0x00, 0x05, information=1 << 40)
    assert sense.parse(sense.build_descriptors(made)) == made
    assert sense.parse(sense.build_descriptors(replace(made, information=None))).information is None
