"""Probable matches: a Fellegi-Sunter model by splink over what records say, trained on the records themselves.

Guarantee: nothing is linked here. Pairs come back with their probability, for a person of the hospital to look at.
Fellegi and Sunter, A theory for record linkage (1969); the parameters are estimated by expectation maximisation
where there are records enough, else ``m`` and ``u`` are those below.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.patients.errors import NoLinkage
from xinglin.patients.model import Link, Traits, pair_of

if TYPE_CHECKING:
    import pyarrow as pa

RECORDS = Limit("records of one matching", 20_000_000, "records")
TRAINED_FROM = 2_000
"""Records from which on the parameters are estimated."""
_FILLED = 0.005
"""A column that a smaller share of the records fills is not looked at."""
_PRIOR = 1e-4

_COLUMNS = ("id", "insurance", "name", "family", "given", "birth", "sex", "phone", "address", "postal")
_SWAPPED = (
    "substr(birth_l, 1, 4) = substr(birth_r, 1, 4) AND substr(birth_l, 6, 2) = substr(birth_r, 9, 2) "
    "AND substr(birth_l, 9, 2) = substr(birth_r, 6, 2)"
)
_ONE_CHARACTER = "length({0}_l) = length({0}_r) AND hamming({0}_l, {0}_r) = 1"
_LEVELS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "id": (
        ("id_l = id_r", 0.93, 1e-7),
        ("damerau_levenshtein(id_l, id_r) <= 1", 0.05, 1e-6),
        ("damerau_levenshtein(id_l, id_r) <= 2", 0.005, 1e-5),
        ("ELSE", 0.015, 0.99999),
    ),
    "insurance": (
        ("insurance_l = insurance_r", 0.93, 1e-6),
        ("damerau_levenshtein(insurance_l, insurance_r) <= 1", 0.05, 1e-5),
        ("ELSE", 0.02, 0.99999),
    ),
    "name": (
        ("name_l = name_r", 0.86, 1e-3),
        ("family_l = given_r AND given_l = family_r", 0.01, 1e-5),
        ("family_l = family_r AND (levenshtein(name_l, name_r) <= 1 "
         "OR jaro_winkler_similarity(given_l, given_r) > 0.88)", 0.08, 4e-3),
        ("given_l = given_r AND jaro_winkler_similarity(family_l, family_r) > 0.8", 0.02, 1e-3),
        ("jaro_winkler_similarity(given_l, given_r) > 0.88 AND jaro_winkler_similarity(family_l, family_r) > 0.88",
         0.01, 1e-4),
        ("family_l = family_r OR (length(given_l) > 1 AND given_l = given_r)", 0.01, 0.05),
        ("ELSE", 0.01, 0.94),
    ),
    "birth": (
        ("birth_l = birth_r", 0.94, 4e-5),
        (f"({_SWAPPED}) OR (" + _ONE_CHARACTER.format("birth") + ")", 0.04, 1e-3),
        ("substr(birth_l, 1, 4) = substr(birth_r, 1, 4)", 0.01, 0.014),
        ("ELSE", 0.01, 0.985),
    ),
    "sex": (("sex_l = sex_r", 0.99, 0.5), ("ELSE", 0.01, 0.5)),
    "phone": (
        ("phone_l = phone_r", 0.6, 1e-5),
        (_ONE_CHARACTER.format("phone"), 0.03, 1e-5),
        ("ELSE", 0.37, 0.99998),
    ),
    "address": (
        ("address_l = address_r", 0.5, 1e-4),
        ("jaro_winkler_similarity(address_l, address_r) > 0.94 AND levenshtein(address_l, address_r) <= 3", 0.1, 2e-3),
        ("jaro_winkler_similarity(address_l, address_r) > 0.85", 0.1, 0.02),
        ("ELSE", 0.3, 0.978),
    ),
    "postal": (("postal_l = postal_r", 0.7, 0.01), ("ELSE", 0.3, 0.99)),
}  # fmt: skip
"""Levels of agreement by field: condition, its probability among matches (m) and among others (u)."""

_FREQUENT = ("name", "postal")
"""Fields whose common values say less."""
_NEEDS = {"name": ("name", "family", "given")}

BLOCKING = (
    ("id",),
    ("insurance",),
    ("phone",),
    ("name", "sex"),
    ("birth", "sex"),
    ("address",),
    ("family", "postal", "sex"),
    ("given", "postal"),
    ("family", "given"),
)
"""Pairs that share all fields of one of these are compared, and no others."""
_DENSE = ("name", "sex"), ("family", "given"), ("family", "postal", "sex"), ("given", "postal")
"""Blocking that needs the birth year besides, where there are many records."""
MANY = 20_000
_TRAINED_BY = ("birth", "name", "address", "phone")
LEAST_M, LEAST_U = 1e-4, 1e-8


class Matching(msgspec.Struct, frozen=True):
    """What a matching found. ``trained``: whether the parameters are the records' own."""

    links: tuple[Link, ...]
    records: int
    trained: bool
    fields: tuple[str, ...]


def available() -> bool:
    """Whether splink is installed."""
    import importlib.util

    return importlib.util.find_spec("splink") is not None


def match(traits: Iterable[Traits], lower: float, *, seed: int = 1, threads: int = 2) -> Matching:
    """Pairs that are one person with a probability of at least ``lower``.

    The same records in the same order with one thread give the same pairs. Raises ``NoLinkage`` without splink,
    ``LimitExceeded`` for too many records.
    """
    if not available():
        raise NoLinkage(
            "Probabilistic matching needs splink, which is not installed.",
            remedy="Install xinglin[linkage]. Links by certain rules work without it.",
        )
    table = _table(traits)
    RECORDS.check(table.num_rows)
    fields = tuple(name for name in _LEVELS if _filled(table, name))
    if table.num_rows < 2 or not fields:
        return Matching((), table.num_rows, False, fields)
    settings = _settings(table, fields)
    trained = _trained(table, settings, fields, threads, seed) if table.num_rows >= TRAINED_FROM else None
    linker = _linker(table, trained or settings, threads)
    found = linker.inference.predict(threshold_match_probability=lower).as_pyarrow_table()
    links = [
        Link(pair_of(one, other), "probable", (), min(float(odds), 1.0))
        for one, other, odds in zip(
            found.column("unique_id_l").to_pylist(),
            found.column("unique_id_r").to_pylist(),
            found.column("match_probability").to_pylist(),
            strict=True,
        )
    ]
    return Matching(
        tuple(sorted(links, key=lambda one: (-one.probability, one.pair))), table.num_rows, trained is not None, fields
    )


def _table(traits: Iterable[Traits]) -> pa.Table:
    """Records of which something is known, without tests."""
    import pyarrow as pa

    columns: dict[str, list[str | None]] = {name: [] for name in ("unique_id", *_COLUMNS)}
    for one in traits:
        if not one.held or one.name.test or not (one.name.key or one.id or one.birth):
            continue
        given = one.name.key.removeprefix(one.name.family) if one.name.han else _given(one)
        row = (
            one.key, one.id.number if one.id and not one.doubts else "", one.insurance,
            "" if one.name.newborn else one.name.key, one.name.family, given, one.birth, one.sex, one.phone,
            one.address, one.postal,
        )  # fmt: skip
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value or None)
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _given(one: Traits) -> str:
    own = set(one.name.family.split())
    return " ".join(word for word in one.name.key.split() if word not in own)


def _filled(table: Any, name: str) -> bool:
    columns = [table.column(one) for one in _NEEDS.get(name, (name,))]
    known = min(len(column) - column.null_count for column in columns)
    return bool(known >= 2 and known >= _FILLED * table.num_rows)


def _linker(table: Any, settings: Any, threads: int) -> Any:
    import duckdb
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    engine = duckdb.connect(":memory:")
    # What records say never goes to a disk: a matching that does not fit the memory fails.
    for setting in (f"threads={threads}", "temp_directory=''", "enable_progress_bar=false"):
        engine.execute(f"SET {setting}")
    api = DuckDBAPI(connection=engine)
    return Linker([api.register(table, table_name="records")], settings, log_level=None)


def _settings(table: Any, fields: Sequence[str]) -> Any:
    from splink import SettingsCreator, block_on

    columns = {column for name in fields for column in _NEEDS.get(name, (name,))}
    blocks: list[Any] = []
    for rule in BLOCKING:
        if set(rule) <= columns | {"sex"}:
            year = ("substr(birth, 1, 4)",) if rule in _DENSE and table.num_rows > MANY and "birth" in columns else ()
            blocks.append(block_on(*(one for one in rule if one in columns), *year))
    return SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(name) for name in fields],
        blocking_rules_to_generate_predictions=blocks,
        probability_two_random_records_match=min(_PRIOR, 1 / table.num_rows),
        retain_matching_columns=False,
    )


def _comparison(name: str) -> Any:
    import splink.comparison_level_library as levels
    import splink.comparison_library as comparisons

    missing = " OR ".join(f"{name}_{side} IS NULL" for side in "lr")
    made: list[Any] = [levels.CustomLevel(missing).configure(is_null_level=True)]
    for condition, m, u in _LEVELS[name]:
        level = levels.ElseLevel() if condition == "ELSE" else levels.CustomLevel(condition)
        extra: dict[str, Any] = (
            {"tf_adjustment_column": name} if condition == f"{name}_l = {name}_r" and name in _FREQUENT else {}
        )
        made.append(level.configure(m_probability=m, u_probability=u, **extra))
    return comparisons.CustomComparison(made, output_column_name=name)


def _trained(table: Any, settings: Any, fields: Sequence[str], threads: int, seed: int) -> dict[str, Any] | None:
    """Settings with u estimated by sampling and the rest by expectation maximisation; None where that fails.

    What was hardly seen keeps a floor: no single disagreement makes a pair impossible.
    """
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    sure = [rule for rule in (("id",), ("name", "birth")) if set(rule) <= set(fields)]
    by = [name for name in _TRAINED_BY if name in fields][:2]
    if not sure or len(by) < 2:
        return None
    linker = _linker(table, settings, threads)
    training = linker.training
    try:
        training.estimate_probability_two_random_records_match([block_on(*rule) for rule in sure], recall=0.8)
        training.estimate_u_using_random_sampling(max_pairs=1e6, seed=seed)
        for name in by:
            training.estimate_parameters_using_expectation_maximisation(block_on(name))
    except (EMTrainingException, ValueError):
        return None
    found: dict[str, Any] = linker.misc.save_model_to_json()
    for comparison in found["comparisons"]:
        for level in comparison["comparison_levels"]:
            for name, floor in (("m_probability", LEAST_M), ("u_probability", LEAST_U)):
                if name in level:
                    level[name] = max(level[name], floor)
    return found
