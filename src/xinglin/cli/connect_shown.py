"""What ``xinglin connect`` shows a person: the sample that is decided by, what was left out, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xinglin.cli.output import columns, harmless

if TYPE_CHECKING:
    from xinglin.node.intake.connecting import Proposal, Sample
    from xinglin.node.intake.unread import UnreadFile

_UNREAD_SHOWN = 50


def shown(proposal: Proposal, sample: Sample) -> str:
    """What a person decides by: the proposed meanings, the rows, what is not read."""
    lines = [
        f"\nSource '{proposal.source.name}': {len(proposal.files)} files; a sample of {sample.received} records gives"
    ]
    lines += [f"note: {note}" for note in proposal.notes]
    if proposal.suggestion is not None:
        guesses = [
            {
                "column": one.name,
                "taken for": one.meaning,
                "sure": f"{one.confidence:.0%}",
                "fills": ", ".join(one.into),
                "grade": " ".join(part for part in (one.grade, one.role) if part not in ("", "data")),
            }
            for one in proposal.suggestion.columns
        ]
        lines += [columns(guesses, ("column", "taken for", "sure", "fills", "grade")), ""]
        lines += [f"note: {note}" for note in proposal.suggestion.notes]
    lines += images(sample, len(proposal.files))
    for table, count in sample.tables.items():
        lines.append(f"  {table}: {count} rows, such as")
        lines += [f"      {_row(row)}" for row in sample.rows.get(table, ())]
    lines += [f"  not read: {count} records ({code})" for code, count in sample.unread.items()]
    lines += [f"  kept without a table: {count} ({words})" for words, count in sample.ignored.items()]
    lines += [f"  flagged: {count} rows ({code})" for code, count in list(sample.flags.items())[:8]]
    return "\n".join(lines)


def images(sample: Sample, files: int) -> list[str]:
    """How many images were found, and what becomes of those in archives."""
    found = sample.images
    if not found.instances and not found.unread:
        return []
    modalities = ", ".join(f"{name or 'of no modality'} {count}" for name, count in found.modalities.items())
    lines = [f"  images: {found.instances} ({modalities or 'none that can be read'})"]
    if sample.counted < files:
        lines[0] += f" in the {sample.counted} files that were looked through, of {files}"
    if found.unread:
        lines.append(f"  images without a readable header: {found.unread}")
    if found.packed:
        lines.append(
            f"  {found.packed} of them in archives: a row of imaging a series, without a count of its images; "
            "DICOMweb gives back only images that come unpacked"
        )
    return lines


def unread(files: Sequence[UnreadFile]) -> str:
    """The files that could not be read, each with its reason."""
    lines = [f"\nCould not be read, and is left out: {len(files)} of the files"]
    lines += [f"  {one.name}: {one.words} {one.remedy} [{one.code}]" for one in files[:_UNREAD_SHOWN]]
    if len(files) > _UNREAD_SHOWN:
        codes = Counter(one.code for one in files[_UNREAD_SHOWN:])
        more = ", ".join(f"{code}: {count}" for code, count in codes.most_common())
        lines.append(f"  and {len(files) - _UNREAD_SHOWN} more ({more}); --json names each")
    return harmless("\n".join(lines))


def _row(row: dict[str, Any]) -> str:
    text = ", ".join(f"{name} {value}" for name, value in row.items())
    text = "".join(one if one.isprintable() else "?" for one in text)  # a value may hold a terminal's commands
    return text if len(text) <= 110 else text[:107] + "..."


def summary(told: dict[str, Any]) -> str:
    """What became of it, for people."""
    lines = []
    for one in told.get("loaded", ()):
        tally = one["tally"]
        lines.append(
            f"{one['source']}: received {tally['received']}, accepted {tally['accepted']} "
            f"(repeated {tally['repeated']}, without a table {tally['ignored']}), "
            f"quarantined {tally['quarantined']}, rejected {tally['rejected']}"
        )
        if one["known"]:
            lines.append(f"  {one['known']} of {one['files']} files were known: they make no row twice")
        lines += [
            f"  {count} of them came from source '{other}': their rows are its, by its mapping and namespace; "
            f"after its mapping is changed: xinglin intake remap {other}"
            for other, count in one.get("elsewhere", {}).items()
        ]
        lines += [f"  {table}: {count} new rows" for table, count in one["rows"].items()]
        lines += [f"  not read: {file['name']}: {file['words']} [{file['code']}]" for file in one.get("unread", ())]
    if told.get("unread") and lines:
        lines.append(f"{len(told['unread'])} files could not be read: they are listed above, and are left out")
    if "published" in told:
        tables = ", ".join(f"{table} ({count} columns)" for table, count in told["published"]["tables"].items())
        lines.append(f"published '{told['published']['data_set']}': {tables}")
    if "secret_file" in told:
        lines.append(f"callers show the secret in {told['secret_file']}")
    if "next" in told:
        lines.append(f"{told['written']} written; {told['next']}")
    return "\n".join(lines)
