"""A mapping proposed from a sample: from names, types and value patterns, with confidence and reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from types import MappingProxyType

from msgspec.structs import replace

from xinglin.records.errors import Unreadable
from xinglin.records.tabular.assemble import COUNT, MEASURE, MEDICINE, Assembly
from xinglin.records.tabular.behind import behind, people
from xinglin.records.tabular.describe import Published, publish
from xinglin.records.tabular.errors import BadMapping
from xinglin.records.tabular.guess import Alternative, guesses, is_count, normalised
from xinglin.records.tabular.mapping import nearest
from xinglin.records.tabular.measures import MEDICINE_WORDS, measures, medicines
from xinglin.records.tabular.model import FORMAT, LINE, SYSTEM, Mapping, Product, ProductColumn, SourceOptions
from xinglin.records.tabular.patterns import names_persons
from xinglin.records.tabular.profile import SAMPLE_ROWS, Profile, profile
from xinglin.records.tabular.rows import Chunk
from xinglin.records.tabular.sheets import open_sheets
from xinglin.records.tabular.suggestion import ColumnGuess, Suggestion
from xinglin.records.tabular.toml_text import write_toml
from xinglin.records.tabular.words import meanings

_NULL_WORDS = ("?", "NULL", "null", "N/A", "n/a", "NA", "#N/A", "-", "--", "—", "无数据", "\\N", "(null)")
_DEFAULT_NULL = ("", "NULL", "null", "\\N")
SAID = "a person said so"
NOBODY_SAID: Dict[str, str] = MappingProxyType({})
_MEDICINE = ("the name is a medicine's", "its values say whether it is given")
_ONE_COLUMN = frozenset({"lab.result", "person.sex", "person.birth_date", "person.age", "visit.days", "visit.class"})
_HEAD = """\
Mapping proposed by 'xinglin map suggest' from {rows} rows of {sheet}.
Read it, correct it, and see what it makes: xinglin map check MAPPING FILE.
'Patient/{{…}}' and the like are keys: the same column must give the same person everywhere."""

Sheets = dict[str, list[Chunk]]


def suggest(body: bytes, name: str, sheet: str = "", said: Dict[str, str] = NOBODY_SAID) -> Suggestion:
    """The proposed mapping of a file. ``name``: the file's; ``sheet``: pattern of the sheet, else the largest.

    ``said``: column to what a person says that it is about, a meaning of ``words.meanings`` or empty for nothing; that
    stands before any guess. Raises ``Unreadable`` where there is no row to learn from, ``BadMapping`` for a column or
    meaning that is not there.
    """
    sheets = _sheets(body, SourceOptions(null=("",)), sheet)
    chosen = max(sheets, key=lambda one: sum(chunk.size * len(chunk.names) for chunk in sheets[one]), default="")
    if not sheets.get(chosen):
        raise Unreadable("The file has no row to learn from.", remedy="Suggest from a file with rows.")
    null = _null_words(sheets[chosen])
    chunks = [chunk.reading(frozenset(null)) for chunk in sheets[chosen]]
    profiles = {column: profile(chunks, column) for column in chunks[0].names}
    ranked = {column: guesses(one) for column, one in profiles.items()}
    named = _decided(_settled(profiles, ranked), said, profiles)
    labels = _labels(sheets, chosen, profiles)
    assembly = Assembly(profiles, named, labels)
    assembly.build()
    product, published = _product(name, chosen, assembly, chunks)
    several = len(sheets) > 1
    options = SourceOptions(
        members=(chosen,) if several and "/" not in chosen else (),
        sheets=(chosen.rsplit("/", 1)[-1],) if several and "/" in chosen else (),
        null=null,
    )
    stem = _plain(_stem(chosen or name)) or "table"
    mapping = Mapping(FORMAT, stem, source=options, table=tuple(assembly.blocks), codes=assembly.codes, product=product)
    columns = tuple(_guess(column, ranked[column], named, assembly, published) for column in profiles)
    rows = sum(chunk.size for chunk in chunks)
    text = write_toml(mapping, _comments(mapping, columns, assembly, chosen or name, rows))
    return Suggestion(mapping, columns, text, chosen, rows, tuple(assembly.notes))


def _sheets(body: bytes, options: SourceOptions, wanted: str) -> Sheets:
    from fnmatch import fnmatchcase

    found: Sheets = {}
    for name, parts in open_sheets(body, options):
        if wanted and not (fnmatchcase(name, wanted) or fnmatchcase(name.rsplit("/", 1)[-1], wanted)):
            continue
        rows = 0
        for part in parts:
            if isinstance(part, Chunk):
                found.setdefault(name, []).append(part)
                rows += part.size
            if rows >= SAMPLE_ROWS.value:
                break
    return found


def _null_words(chunks: Sequence[Chunk]) -> tuple[str, ...]:
    """The usual words, and those that stand in columns beside other values of another kind."""
    found = list(_DEFAULT_NULL)
    for name in chunks[0].names:
        values = {value for chunk in chunks for value in chunk.vector(name).values}
        found += [word for word in _NULL_WORDS if word in values and word not in found and len(values) > 2]
    return tuple(found)


def _settled(profiles: Dict[str, Profile], ranked: Dict[str, list[Alternative]]) -> dict[str, Alternative]:
    """One meaning a column, and one column a meaning where only one can be."""
    named: dict[str, Alternative] = {}
    for column, one in profiles.items():
        plain = normalised(column)
        if plain in medicines() and one.distinct <= 6 and _medicine_words(one):
            named[column] = Alternative(MEDICINE, 0.95, _MEDICINE)
        elif plain in measures() and not one.fits("date"):
            named[column] = Alternative(MEASURE, 0.88, ("the name is a measurement's",))
        elif is_count(column) and one.fits("number") and not _visit_number(ranked[column]):
            named[column] = Alternative(COUNT, 0.85, ("the name says that it counts", "values are numbers"))
        elif ranked[column]:
            named[column] = ranked[column][0]
    _neighbours(profiles, named)
    for meaning in {one.meaning for one in named.values()} & _ONE_COLUMN:
        same = sorted((c for c in named if named[c].meaning == meaning), key=lambda c: -named[c].confidence)
        for column in same[1:]:
            del named[column]
    return named


def _decided(
    named: dict[str, Alternative], said: Dict[str, str], profiles: Dict[str, Profile]
) -> dict[str, Alternative]:
    """A person's word before the guesses; of a meaning that one column can have, theirs has it."""
    known = {one.key for one in meanings()}
    for column, meaning in said.items():
        if column not in profiles:
            raise BadMapping("A column that was decided about is not in this table.", remedy="Decide anew.")
        if meaning and meaning not in known:
            raise BadMapping(f"'{meaning[:60]}' is not known.", remedy=nearest(meaning, known))
    only = {meaning for meaning in said.values() if meaning in _ONE_COLUMN}
    found = {name: one for name, one in named.items() if name not in said and one.meaning not in only}
    found |= {name: Alternative(meaning, 1.0, (SAID,)) for name, meaning in said.items() if meaning}
    return {name: found[name] for name in profiles if name in found}


def _medicine_words(one: Profile) -> bool:
    return all(value.casefold() in MEDICINE_WORDS for value, _ in one.top)


def _visit_number(ranked: Sequence[Alternative]) -> bool:
    return bool(ranked) and ranked[0].confidence >= 0.9


def _neighbours(profiles: Dict[str, Profile], named: dict[str, Alternative]) -> None:
    """Columns between medicines, with the same words, are medicines too."""
    columns = list(profiles)
    medicine = [k for k, column in enumerate(columns) if column in named and named[column].meaning == MEDICINE]
    if len(medicine) < 3:
        return
    words = {value for k in medicine for value, _ in profiles[columns[k]].top}
    for k in range(medicine[0], medicine[-1]):
        column = columns[k]
        if column not in named and profiles[column].filled and {v for v, _ in profiles[column].top} <= words:
            reason = "it stands between medicines and has their words"
            named[column] = Alternative(MEDICINE, 0.7, (reason,))


def _labels(sheets: Sheets, chosen: str, profiles: Dict[str, Profile]) -> dict[str, dict[str, str]]:
    """Words of codes, from other sheets of two columns whose sections are headed by a column's name."""
    found: dict[str, dict[str, str]] = {}
    for name, chunks in sheets.items():
        if name == chosen or len(chunks[0].names) != 2:
            continue
        names = chunks[0].names
        here = names[0] if names[0] in profiles else ""
        for chunk in chunks:
            for code, text in zip(*(chunk.vector(one).to_list(chunk.size) for one in names), strict=True):
                if code in profiles:
                    here = code
                elif code and text and here:
                    found.setdefault(here, {})[code] = text
    return found


def _product(
    name: str, sheet: str, assembly: Assembly, chunks: Sequence[Chunk]
) -> tuple[Product | None, dict[str, tuple[str, Published]]]:
    """The product of every column, and how each is published (under which name)."""
    persons = people(chunks, assembly.person)
    taken = {one for one, _ in SYSTEM}
    published: dict[str, tuple[str, Published]] = {}
    for number, (column, one) in enumerate(assembly.profiles.items(), 1):
        meaning = assembly.named[column].meaning if column in assembly.named else ""
        plain = _plain(column) or (meaning.split(".")[-1] if meaning else "") or f"column_{number}"
        plain = f"{plain}_source" if plain.lower() in taken else plain
        again = 2
        while plain.lower() in taken:
            plain, again = f"{plain.rstrip('0123456789_')}_{again}", again + 1
        taken.add(plain.lower())
        made = publish(one, meaning, behind(chunks, column, persons), "", column if plain != column else "")
        words = _words(column, meaning, assembly.labels.get(column, {}), made.column)
        published[column] = plain, replace(made, column=replace(made.column, words=words))
    columns = {plain: made.column for plain, made in published.values()}
    key = "{@line}" if assembly.person == LINE else assembly.row_key()
    stem = _plain(_stem(sheet or name)).lower() or "product"
    words = "the source's own columns"
    return Product(stem, key, assembly.patient, columns, words=words), published


def _guess(
    column: str,
    ranked: Sequence[Alternative],
    named: Dict[str, Alternative],
    assembly: Assembly,
    published: Dict[str, tuple[str, Published]],
) -> ColumnGuess:
    best = named.get(column)
    others = tuple(one for one in ranked if best is None or one.meaning != best.meaning)[:3]
    plain, made = published[column]
    into = (*dict.fromkeys(assembly.into.get(column, [])), f"product.{plain}")
    return ColumnGuess(
        column,
        best.meaning if best else "",
        round(best.confidence, 2) if best else 0.0,
        best.reasons if best else ("nothing in its name or values is known",),
        others,
        into,
        made.column.kind,
        made.column.role,
        made.column.grade or "L2",
        made.reason,
    )


def _comments(
    mapping: Mapping, columns: Sequence[ColumnGuess], assembly: Assembly, sheet: str, rows: int
) -> dict[str, str]:
    said = {"": "\n".join((_HEAD.format(rows=rows, sheet=sheet), *(f"NOTE {note}" for note in assembly.notes)))}
    by_name = {one.name: one for one in columns}
    for number, block in enumerate(mapping.table, 1):
        used = [field.column or field.words for field in block.columns.values()] + list(block.each)
        seen = [by_name[name] for name in dict.fromkeys(used) if name in by_name]
        told = [f"{one.name}: {one.confidence:.2f}, {'; '.join(one.reasons)}" for one in seen[:12]]
        more = [f"… and {len(seen) - 12} more columns"] if len(seen) > 12 else []
        said[f"table[{number}]"] = "\n".join([f"{block.into}, from", *(f"  {line}" for line in told + more)])
    for one in columns:
        name = next((into.split(".", 1)[1] for into in one.into if into.startswith("product.")), "")
        if one.grade_reason:
            said[f"product.columns.{name}"] = one.grade_reason
    return said


def _words(column: str, meaning: str, labels: Dict[str, str], made: ProductColumn) -> str:
    """What is said of a column; of its codes only those that are published as levels, and none that names persons."""
    told = {code: " ".join(text.split()) for code, text in labels.items() if code in made.levels}
    listed = "" if names_persons(told.values()) else "; ".join(f"{code} {text}" for code, text in told.items())
    head = column if not meaning or "." not in meaning else f"{column} ({meaning.replace('.', ' ').replace('_', ' ')})"
    whole = f"{head}: {listed}" if listed else head
    return "".join(c for c in whole if c.isprintable())[:1_000]


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].split(".", maxsplit=1)[0]


def _plain(name: str) -> str:
    """A published name: letters, digits and ``_``; empty where nothing is left of it."""
    text = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return (text if text[:1].isalpha() else f"c_{text}" if text else "")[:63]
