"""Why no drive could take a night, or not the one that was due: as notes, and as an exit code."""

from collections.abc import Iterable

from tapekit.errors import Exit
from tapekit.jobs.nightly import outlook, reach
from tapekit.report.night import Note
from tapekit.rotation.decide import Decision, InReach, Night, State
from tapekit.rotation.permit import Reason, may_append
from tapekit.rotation.retention import Policy

_REFUSED = {
    State.EMPTY: "no-cartridge", State.FOREIGN: "foreign-cartridge", State.BLANK: "unlabelled-cartridge",
    State.BAD: "drive",
}  # fmt: skip
_KINDS = (
    (Reason.FOREIGN, "foreign-cartridge"), (Reason.LOCKED, "locked-cartridge"),
    (Reason.WRITE_PROTECTED, "write-protected"), (Reason.FULL, "full-cartridge"),
)  # fmt: skip
"""Why nothing is written behind what a cartridge holds, what counts most first."""
_EXITS = {"busy": Exit.BUSY, "full-cartridge": Exit.END_OF_MEDIUM}
"""Where a night went nowhere for that."""


def notes(decision: Decision, seen: outlook.Seen, asked: Night, policy: Policy, language: str) -> list[Note]:
    """One note for each drive, and the spool, that could not take it; a single one where a cartridge has the night."""
    drives = {drive.drive: drive for drive in seen.drives}
    found = {drive.name: drive for drive in seen.found}
    why: dict[str, list[str]] = {}
    for name, words in decision.refused:
        why.setdefault(name, []).append(words.of(language))
    if asked.written:
        said = "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in why.items())
        return [Note("copy-missing", {"count": str(len(asked.written)), "due": _listed(asked)}, said)]
    told = []
    for name, reasons in why.items():
        drive = drives.get(name)
        kind = _kind(drive, found[name], seen, asked, policy) if drive else "spool-full"
        named = drive.cartridge.name if drive and drive.cartridge else ""
        values = {"due": _listed(asked), "cartridge": named, "found": named, "drive": name}
        told.append(Note(kind, values, (found[name].words if drive else "") or "; ".join(reasons)))
    return told


def exit_code(told: Iterable[Note]) -> Exit:
    """What a run ends with that found no way: what all drives agree on, or that there is no cartridge for it."""
    codes = {_EXITS.get(note.kind, Exit.CARTRIDGE) for note in told if note.kind != "spool-full"}
    return codes.pop() if len(codes) == 1 else Exit.CARTRIDGE


def _kind(drive: InReach, found: reach.InDrive, seen: outlook.Seen, asked: Night, policy: Policy) -> str:
    if found.is_busy:
        return "busy"
    if drive.state is not State.OWN or drive.cartridge is None:
        return _REFUSED[drive.state]
    reasons = {refusal.reason for refusal in may_append(drive.cartridge, seen.stock, policy, asked.needed_bytes)}
    return next((kind for reason, kind in _KINDS if reason in reasons), "protected-cartridge")


def _listed(asked: Night) -> str:
    return ", ".join(asked.choice.names or asked.choice.skipped)
