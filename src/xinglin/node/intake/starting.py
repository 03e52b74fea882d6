"""Starting a source that a person agreed to: tried before, written down, its files loaded.

The verb ``connect`` and the console's page do the same here: at the desk of the intake while it runs, else in the
calling process, for one process a folder has the raw store open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import system_clock
from xinglin.node.intake.connecting import Proposal, Tried, mapped_by, plan, try_out
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.marks import UNSEEN, Marks
from xinglin.node.intake.recognise import Found
from xinglin.node.intake.sources import (
    MAPPINGS,
    NAME_CHARACTERS,
    SourceFile,
    SourceTaken,
    add_source,
    names_taken,
    read_sources,
    write_source,
)
from xinglin.stores.desk import NotRunning, ask_desk
from xinglin.wire.desk import DeskCall

if TYPE_CHECKING:
    from xinglin.node.intake.loading import Progress
    from xinglin.records.tabular.suggestion import Suggestion

LOAD_S = 3600.0
"""So long a running intake may take for the files of one source."""
Problems = Mapping[str, str]


def intake_answers(folder: Path, verb: str, timeout_s: float = 600.0, **arguments: str) -> Any:
    """What the running intake of a node's folder answers; raises ``NotRunning`` or ``Refused``."""
    from xinglin.node.intake.main import DESK_FOLDER

    return ask_desk(folder / DESK_FOLDER, DeskCall(verb, arguments), timeout_s=timeout_s).value


def intake_follows(folder: Path) -> Problems | None:
    """What a running intake says of ``sources.toml`` that it read again: problems by source; None: none runs."""
    try:
        found: Problems = intake_answers(folder, "reload")["problems"]
    except (NotRunning, OSError):
        return None
    return found


def tried_with(
    found: Found,
    looking: Looking,
    *,
    watch: bool = False,
    mapping: str | None = None,
    zone: str = "+08:00",
    charset: str = "utf-8",
    namespace: str = "",
    beside: Path | None = None,
) -> Tried:
    """The proposals with a sample of each, read in the limited child; raises as ``plan`` and ``try_out``.

    ``mapping``: a person's own (TOML) instead of the proposed one. ``beside``: the folder of a node whose sources all
    stay as they are.
    """
    replace = msgspec.structs.replace
    planned = plan(found, looking, watch=watch)
    proposals = []
    for one in planned.proposals:
        source = replace(one.source, zone=zone, charset=charset, namespace=namespace)
        with_source = replace(one, source=source)
        proposals.append(with_source if mapping is None else mapped_by(with_source, mapping))
    if beside is not None:
        proposals = _beside(beside, proposals)
    return try_out(found, replace(planned, proposals=tuple(proposals)), system_clock(), looking)


def _beside(folder: Path, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Proposals that change no source of a node: files of one that takes files go to it, others get a free name."""
    held, taken = {one.name: one for one in read_sources(folder)}, set(names_taken(folder))
    replace, made = msgspec.structs.replace, []
    for one in proposals:
        there = held.get(one.source.name)
        if there is not None and there.files is not None and there.media_type == one.source.media_type:
            text = there.source(folder).mapping
            made.append(replace(one, source=there, mapping=text, suggestion=None, held=True))
            continue
        wanted = one.source.name
        name = _free(wanted, taken)
        taken.add(name)
        source = replace(one.source, name=name, mapping=f"{name}.toml" if one.source.mapping else "")
        made.append(replace(one, source=source, wanted=wanted if name != wanted else ""))
    return made


def _free(wanted: str, taken: set[str]) -> str:
    """The name, or the first with a number that nobody has."""
    ends = ("", *(f"-{number}" for number in range(2, len(taken) + 3)))
    return next(name for end in ends if (name := f"{wanted[: NAME_CHARACTERS - len(end)]}{end}") not in taken)


def start_sources(
    folder: Path,
    proposals: Sequence[Proposal],
    secret: str = "",
    *,
    tell: Callable[[Progress], None] | None = None,
    problems: Callable[[Problems], None] | None = None,
    marks: Marks | None = None,
) -> list[dict[str, Any]]:
    """Write the sources down and load their files: what became of each, with its name.

    ``secret``: the keys' passphrase, where no intake runs. ``problems``: told what a running intake says of sources.
    ``marks``: the files as a person was shown them, of proposals ``beside`` the sources: no source is replaced then,
    and no other file is opened. Raises ``NotJoined``, ``BadSources``, ``SourceTaken`` and what loading raises.
    """
    from xinglin.node.joining import joined_space

    joined_space(folder)
    if marks is None:
        for proposal in proposals:
            write_source(folder, proposal.source, proposal.mapping)
    else:
        _add(folder, proposals)
    told = intake_follows(folder)
    if told is None:
        return _load_here(folder, proposals, secret, tell, marks)
    if problems is not None:
        problems(told)
    return [_load_there(folder, proposal, marks) for proposal in proposals]


def _add(folder: Path, proposals: Sequence[Proposal]) -> None:
    """Write down what is new; raises ``SourceTaken`` where a source is not what was shown."""
    held: dict[str, SourceFile] = {one.name: one for one in read_sources(folder)}
    for one in proposals:
        if one.held and (held.get(one.source.name) != one.source or one.source.source(folder).mapping != one.mapping):
            what = f"The source '{one.source.name}' was changed since its sample was shown."
            raise SourceTaken(what, remedy="Look at the files again.")
    for one in proposals:
        if not one.held:
            add_source(folder, one.source, one.mapping)


def mappings_of(folder: Path) -> tuple[Suggestion, ...]:
    """The mappings of the sources that were written down, as ``describe`` takes them; what cannot be read is left out.

    Without what was guessed about columns: only the mapping is kept.
    """
    from xinglin.kernel.errors import XinglinError
    from xinglin.records.tabular.mapping import parse_mapping
    from xinglin.records.tabular.suggestion import Suggestion

    found = []
    for one in read_sources(folder):
        if not one.mapping:
            continue
        try:
            text = (folder / MAPPINGS / one.mapping).read_text(encoding="utf-8")
            found.append(Suggestion(parse_mapping(text), (), text))
        except (OSError, UnicodeDecodeError, XinglinError):
            continue
    return tuple(found)


def _load_there(folder: Path, proposal: Proposal, marks: Marks | None) -> dict[str, Any]:
    """``marks``: then the paths are whole, and where they lead now is not asked."""
    paths = [str(path if marks is not None else path.resolve()) for path in proposal.files]
    asked = {"files": msgspec.json.encode(paths).decode()}
    if marks is not None:
        asked["marks"] = ",".join(marks.get(path, UNSEEN) for path in proposal.files)
    found = intake_answers(folder, "load", LOAD_S, source=proposal.source.name, **asked)
    return {"source": proposal.source.name, **found}


def _load_here(
    folder: Path,
    proposals: Sequence[Proposal],
    secret: str,
    tell: Callable[[Progress], None] | None,
    marks: Marks | None,
) -> list[dict[str, Any]]:
    from xinglin.node.intake.loading import load
    from xinglin.node.intake.wiring import open_intake
    from xinglin.node.joining import open_node_keys
    from xinglin.node.settings import node_settings

    opened = open_intake(folder, node_settings(folder).settings, open_node_keys(folder, secret))
    try:
        return [
            {
                "source": one.source.name,
                **msgspec.to_builtins(load(opened, one.source.source(folder), one.files, tell=tell, marks=marks)),
            }
            for one in proposals
        ]
    finally:
        opened.close()
