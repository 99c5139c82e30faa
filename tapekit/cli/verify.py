"""`tapekit verify`: read everything back and check it."""

import dataclasses
from typing import Any

import click

from tapekit.cli import progress
from tapekit.cli.common import (
    archive_option,
    corrected_json,
    drive_argument,
    evidences,
    json_option,
    opened,
    path_json,
    path_text,
    places_of,
    print_json,
    show_corrected,
    show_list,
    state_of,
)
from tapekit.cli.further import then_option
from tapekit.cli.hand import key_option, opener, passphrase_option
from tapekit.cli.remember import problem_json, remembering
from tapekit.errors import Exit
from tapekit.jobs import repair as repairs
from tapekit.jobs import verify, verify_set
from tapekit.jobs.sealing import known_sites
from tapekit.jobs.verify_segment import Damage, SegmentResult
from tapekit.units import counted, size_text


@click.command("verify")
@drive_argument
@archive_option("all", several=True)
@click.option("--source", is_flag=True, help="Compare with the original files too.")
@click.option("--repair", is_flag=True, help="Write blocks that parity gave back again in their place (disks only).")
@then_option
@key_option
@passphrase_option
@json_option
@click.pass_context
def command(
    context: click.Context, drive: str, archive: str, source: bool, repair: bool, then: tuple[str, ...],
    key: str | None, passphrase_from: str, as_json: bool,
) -> None:  # fmt: skip
    """Read every block from the medium, decode it, and check every member's content.

    With --then, the cartridges there too, one after the other: so a member that goes on on the next one is checked.

    Exit code 6 means: something is not as it was written; the members that are hit are named. Exit code 3: all is as it
    was written, but a crash had cut an earlier archive short, or a signature is not the expected one. Of an encrypted
    archive, every block is checked without a key; exit code 7: content was to be decoded, and no key opened it.
    """
    places = places_of(context)
    trusted = known_sites(places.keys, state_of(context), places.site)
    results: list[verify.Result] = []
    repaired: list[repairs.Result] = []
    with (
        evidences() as journal,
        remembering(context, journal) as memory,
        opener(key, passphrase_from) as found,
    ):
        trust, wanted, carried = verify.Trust(found, trusted), archive, None
        for each in (drive, *then):
            with opened(context, each, writable=repair) as device:
                if repair:
                    repairs.check(device)
                    memory.check_writable(device)
                result = verify.run(
                    device, wanted, progress.shown(as_json=as_json), journal, with_source=source, trust=trust,
                    carried=carried,
                )  # fmt: skip
                repaired.append(repairs.run(device, result.corrected) if repair else repairs.Result())
                memory.learn(device, opener=found)
            results.append(result)
            carried = next((segment.carried for segment in reversed(result.segments) if segment.carried), None)
            wanted = result.segments[0].archive if wanted == "latest" else wanted
    verify_set.settle_torn(results)
    missing = verify_set.missing(results)
    if as_json:
        answer = _json(results[0]) | _repair_json(repaired) | {"ok": all(result.ok for result in results)}
        answer["then"] = [_json(result) for result in results[1:]]
        answer["missing"] = [
            {"archive": part.archive, "part": part.part + 1, "cartridge": part.cartridge or None} for part in missing
        ]
        print_json(answer | {"catalog_problem": problem_json(memory)})
    else:
        for result in results:
            _show(result)
        for done in repaired:
            _show_repair(done)
        show_list("not verified, as it is not there", [part.words for part in missing])
    codes = [_exit_code(result, source=source, key=key) for result in results]
    codes += [Exit.WARNINGS] if missing and then else []  # of a single cartridge nobody expects the others
    context.exit(Exit.VERIFICATION if Exit.VERIFICATION in codes else max(codes))


def _show_repair(done: repairs.Result) -> None:
    show_list("not repaired", [f"block {lost.block} of file {lost.file}: {why}" for lost, why in done.failed])
    if done.repaired:
        click.echo(f"repaired, and read back: {counted(len(done.repaired), 'block')}")


def _repair_json(repaired: list[repairs.Result]) -> dict[str, Any]:
    return {
        "repaired": corrected_json([lost for done in repaired for lost in done.repaired]),
        "not_repaired": corrected_json([
            dataclasses.replace(lost, why=why) for done in repaired for lost, why in done.failed
        ]),
    }  # fmt: skip


def _exit_code(result: verify.Result, *, source: bool, key: str | None) -> Exit:
    if not result.ok:
        return Exit.VERIFICATION
    if any(segment.closed and (source or (key and not segment.is_names_only)) for segment in result.segments):
        return Exit.KEY
    if result.doubts or result.corrected or any(segment.left_by_crash for segment in result.segments):
        return Exit.WARNINGS
    return Exit.DONE


def _json(result: verify.Result) -> dict[str, Any]:
    damage = result.damage + [item for segment in result.segments for item in segment.damage]
    return {
        "cartridge": result.cartridge,
        "ok": result.ok,
        "blocks": result.blocks,
        "bad_blocks": result.bad_blocks,
        "corrected": corrected_json(result.corrected),
        "members": sum(segment.members for segment in result.segments),
        "bad_members": sum(segment.bad_members for segment in result.segments),
        "members_hit": [path_json(path) for path in verify.members_hit(result)],
        "damage": [_damage_json(item) for item in damage],
        "doubts": result.doubts,
        "archives": [_segment_json(segment) for segment in result.segments],
    }


def _damage_json(item: Damage) -> dict[str, Any]:
    member = None if item.member is None else path_json(item.member)
    return {"why": item.why, "file": item.file, "block": item.block, "member": member}


def _segment_json(segment: SegmentResult) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "archive": segment.archive, "file": segment.file, "state": segment.state, "ok": segment.ok,
        "blocks": segment.blocks, "bad_blocks": segment.bad_blocks,
        "corrected_blocks": segment.corrected_blocks, "members": segment.members,
        "bad_members": segment.bad_members, "not_decoded": segment.closed or None, "signed_by": segment.signed_by,
    }  # fmt: skip
    if segment.comparison is not None:
        answer["source"] = {
            key: [path_json(path) for path in value] if isinstance(value, list) else value
            for key, value in dataclasses.asdict(segment.comparison).items()
        }
    return answer


def _show(result: verify.Result) -> None:
    show_list("cartridge", [item.why for item in result.damage])
    show_list("doubt", result.doubts)
    show_corrected(result.corrected)
    for segment in result.segments:
        lines = [f"{path_text(d.member)}: {d.why}" if d.member is not None else _place(d) for d in segment.damage]
        show_list(f"archive {segment.archive[:8] or '?'} (file {segment.file})", lines)
        crashed = "TORN" if segment.is_torn else "LEFT BY A CRASH" if segment.left_by_crash else ""
        verdict = crashed or ("good" if segment.ok else "DAMAGED")
        members = f"{counted(segment.members, 'member')}, {segment.bad_members} bad"
        click.echo(
            f"archive {segment.archive[:8] or '?'} {segment.job}: {verdict}: {segment.state}, "
            f"{counted(segment.blocks, 'block')} ({size_text(segment.stored_bytes)}) read, {segment.bad_blocks} bad"
            + (f", {segment.corrected_blocks} corrected; " if segment.corrected_blocks else "; ")
            + (members if segment.members or not segment.closed else "members not looked into")
        )
        if segment.closed:
            click.echo(f"  not decoded: {segment.closed}")
        if segment.comparison is not None:
            found = segment.comparison
            click.echo(
                f"  compared with the source: {found.same} the same, {found.changed} changed since, "
                f"{found.gone} gone since, {len(found.differing)} differ though not changed since"
            )
            show_list("  differ from the source", [path_text(path) for path in found.differing])
            show_list("  could not be compared", [path_text(path) for path in found.unreadable])
    click.echo(f"cartridge {result.cartridge}: {'good' if result.ok else 'DAMAGED'}: {result.blocks} blocks read back")


def _place(item: Damage) -> str:
    return item.why if item.block is None else f"block {item.block}: {item.why}"
