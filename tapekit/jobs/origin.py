"""Who wrote what is on a cartridge, and whether something that was written is missing at its end.

What is missing before the end, the directories of later trailers tell (`tapekit.cartridge.directory`). Of the end only
somebody outside knows: this site's journal.
"""

from collections.abc import Mapping, Sequence

from formats.publickey import SITE, PublicKeyLine
from formats.segment import DirectoryEntry
from tapekit.cartridge.cartridge import Cartridge, Segment
from tapekit.evidence import Evidences


def signed_by(segment: Segment, sites: Sequence[PublicKeyLine]) -> tuple[str | None, str]:
    """Who signed a segment's trailer, in words, and what is doubtful about that. None: nobody did."""
    if segment.signer is None:
        return None, ""
    known = next((site.name for site in sites if site.key == segment.signer), None)
    if known is not None:
        return known, ""
    fingerprint = PublicKeyLine(SITE, segment.signer, "").fingerprint
    claimed = segment.header.site if segment.header else ""
    if claimed and any(site.name == claimed for site in sites):
        return fingerprint, (
            f"archive {segment.archive[:8]}: says it is of {claimed}, and is signed by another key: {fingerprint}"
        )
    return fingerprint, ""


def gone(
    cartridge: Cartridge, segments: Sequence[Segment], known: Mapping[int, DirectoryEntry], evidences: Evidences
) -> list[str]:
    """Archives that this site has on record for the cartridge, and that are not on it, in words.

    None while there is a file whose archive cannot be told: it may be that one, and is named as damaged anyway.
    """
    if cartridge.label is None or not all(segment.archive for segment in segments):
        return []
    here = {segment.archive for segment in segments} | {entry.archive for entry in known.values()}
    label = cartridge.label.cartridge
    noted = dict.fromkeys(line.archive for line in evidences.lines() if line.cartridge == label)
    return [
        f"archive {archive[:8]} was written here, as this site's journal has it, and is gone"
        for archive in noted
        if archive not in here
    ]
