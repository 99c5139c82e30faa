"""The test vectors, written byte by byte from the tables of formats/SPEC.md, without the code that they test.

Nothing here imports `formats`, or compresses: the same bytes come out with every version of every library. One file
for each group of structures, one line for each vector; every bad vector has one failure.
"""

from fixtures.vectors import Vector
from tools.vector_sources.blocks import BLOCKS
from tools.vector_sources.catalogs import CATALOGS
from tools.vector_sources.documents import DOCUMENTS
from tools.vector_sources.keys import KEYS
from tools.vector_sources.members import MEMBERS
from tools.vector_sources.payloads import PAYLOADS
from tools.vector_sources.recordlogs import RECORDLOGS
from tools.vector_sources.recovery import RECOVERY

VECTORS: tuple[Vector, ...] = (*BLOCKS, *PAYLOADS, *DOCUMENTS, *CATALOGS, *RECORDLOGS, *RECOVERY, *MEMBERS, *KEYS)
