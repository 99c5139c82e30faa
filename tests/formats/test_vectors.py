"""Every test vector through the parser of its structure (formats/SPEC.md section 17)."""

import pytest

from fixtures import vectors
from fixtures.vectors import DAMAGED, NEWER, OK, WRONG_KEY, Vector
from fixtures.vectors.structures import BY_NAME, STRUCTURES, Structure, WrongKey, fields
from formats.errors import Damaged, NewerFormat
from tools import vector_sources
from tools.vector_sources import __main__ as generator

VECTORS = vectors.load()
ERRORS = {DAMAGED: Damaged, NEWER: NewerFormat, WRONG_KEY: WrongKey}
GUARDED = frozenset((
    "block", "placed block", "payload", "superblock", "record header", "filemark table", "encrypted block",
    "sealed header",
))  # fmt: skip
HALF = frozenset(("sealed-technician",))
"""Who has the catalog key alone checks that half of the commitment alone."""
SLOW = "passphrase header"
"""Each try takes a scrypt; `tests/keys/test_slot.py` flips bits of its slot."""
LONGEST_MESSAGE = 300


def named(expect: tuple[str, ...]) -> pytest.MarkDecorator:
    chosen = [vector for vector in VECTORS if vector.expect in expect]
    return pytest.mark.parametrize("vector", chosen, ids=lambda vector: vector.name)


@named((OK,))
def test_good(vector: Vector) -> None:
    structure = BY_NAME[vector.structure]
    value = structure.parse(vector.data, dict(vector.given))
    found = fields(value)
    assert {name: found.get(name) for name, _ in vector.fields} == dict(vector.fields)
    if vector.canonical:
        assert structure.build(value) == vector.data
    else:
        again = structure.build(value)
        assert again != vector.data
        assert structure.parse(again, dict(vector.given)) == value


@named((DAMAGED, NEWER, WRONG_KEY))
def test_bad(vector: Vector) -> None:
    with pytest.raises(ERRORS[vector.expect]) as caught:
        BY_NAME[vector.structure].parse(vector.data, dict(vector.given))
    assert caught.type is ERRORS[vector.expect]
    message = str(caught.value)
    assert len(message) <= LONGEST_MESSAGE
    assert message.isprintable()


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_every_structure_has_vectors(structure: Structure) -> None:
    mine = [vector.expect for vector in VECTORS if vector.structure == structure.name]
    assert OK in mine
    assert {DAMAGED, WRONG_KEY} & set(mine)


def test_every_vector_has_a_structure() -> None:
    assert {vector.structure for vector in VECTORS} == BY_NAME.keys()


def test_files_are_what_the_sources_say() -> None:
    assert generator.differences({v.name + vectors.SUFFIX: v.encode() for v in vector_sources.VECTORS}) == []
    assert set(vector_sources.VECTORS) == set(VECTORS)


@named((OK,))
def test_flipped_bits(vector: Vector) -> None:
    """No flipped bit gives another kind of error, and none passes what a checksum or digest covers."""
    structure, given = BY_NAME[vector.structure], dict(vector.given)
    if vector.structure == SLOW:
        return
    for place in range(0, len(vector.data), 1 + len(vector.data) // 200):
        data = bytearray(vector.data)
        data[place] ^= 1 << place % 8
        try:
            structure.parse(bytes(data), given)
        except (Damaged, NewerFormat, WrongKey):
            continue
        assert vector.structure not in GUARDED or vector.name in HALF, f"byte {place}"
