"""Who takes part in a matching: choices of a record hold for its person, whom nobody knows is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from xinglin.node.consent import withdraw
from xinglin.node.match_people import NoIndex, Row, open_records, persons_of, sift, sifted, some_left, unknown_policy
from xinglin.terms.consent import ConsentUse, PersonFilter
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused

USE = ConsentUse(study="s", purpose="health-research", institutions=(), at=1_800_000_000_000, regime="opt-out")


class Index:
    """Records a and b are person P; c is alone; the number of d belongs to the record e."""

    _KNOWN = {"a": ({"a", "b", "P"},), "b": ({"a", "b", "P"},), "c": ({"c"},), "d": ({"d"}, {"e"})}

    def of(self, rows: Sequence[Row]) -> list[tuple[frozenset[str], ...]]:
        return [tuple(map(frozenset, self._KNOWN.get(key, ()))) for key, _ in rows]


ROWS: list[Row] = [("a", ""), ("b", ""), ("c", ""), ("d", ""), ("x", "")]


@pytest.mark.parametrize(
    ("without", "keep"),
    [
        ((), "abcd"),
        (("a",), "cd"),  # what is said of one record of a person holds for all of them
        (("P",), "cd"),
        (("e",), "abc"),  # the key names one person, the number another: both are asked
        (("x",), "abcd"),
    ],
)
def test_a_denial_takes_the_whole_person_out(without: tuple[str, ...], keep: str) -> None:
    found = sift(ROWS, PersonFilter(without), Index(), "leave-out")
    assert "".join(key for (key, _), one in zip(ROWS, found.keep, strict=True) if one) == keep
    assert len(ROWS) == sum(found.keep) + found.objected + found.unknown


def test_where_consent_is_needed_nobody_is_in_without_it() -> None:
    found = sift(ROWS, PersonFilter((), ("b", "d")), Index(), "keep")
    assert found.keep == (True, True, False, False, False)  # d's number is e's, who did not consent
    assert (found.objected, found.unknown) == (2, 1)


def test_unknown_lines_are_kept_only_where_the_hospital_wrote_so(tmp_path: Path) -> None:
    assert sift(ROWS, PersonFilter(), NoIndex(), "keep").keep == (True,) * 5
    nobody = sift(ROWS, PersonFilter(), NoIndex(), "leave-out")
    assert nobody.unknown == 5
    with pytest.raises(Refused) as refused:
        some_left(nobody)
    assert refused.value.codes == ("node.match_nobody",)
    assert unknown_policy(tmp_path) == "leave-out"
    (tmp_path / "matching.toml").write_text('unknown = "keep"\n')
    assert unknown_policy(tmp_path) == "keep"
    (tmp_path / "matching.toml").write_text('unknown = "ask"\n')
    with pytest.raises(Refused):
        unknown_policy(tmp_path)


def test_the_register_of_the_node_is_asked(tmp_path: Path) -> None:
    keys = PrivateKeys.generate()
    (tmp_path / "matching.toml").write_text('unknown = "keep"\n')
    rows: list[Row] = [("Patient/1", ""), ("Patient/2", "")]
    assert sifted(tmp_path, keys, rows, USE).keep == (True, True)
    withdraw(tmp_path, "Patient/2", "paper")
    assert sifted(tmp_path, keys, rows, USE).keep == (True, False)
    assert persons_of(tmp_path, keys) is None


def test_an_identity_number_finds_its_record(tmp_path: Path) -> None:
    from xinglin.node.intake.persons import open_key
    from xinglin.node.vault import Vault
    from xinglin.patients.folding import NOTHING
    from xinglin.patients.ports import Stored
    from xinglin.stores.patient_index import PatientStore

    keys = PrivateKeys.generate()
    store = PatientStore.in_folder(tmp_path, open_key(tmp_path, Vault(keys)))
    with store.alone() as work:
        work.put_records([Stored("Patient/1", 0, NOTHING)])
        work.put_keys({"Patient/1": ["id cn 11010519491231002X"]}, [])
    store.close()
    assert persons_of(tmp_path, keys) == 1
    with open_records(tmp_path, keys) as records:
        assert records.of([("row 7", "11010519491231002X"), ("row 8", "")]) == [(frozenset({"Patient/1"}),), ()]
    withdraw(tmp_path, "Patient/1", "paper")  # whatever key the file gives the person
    found = sifted(tmp_path, keys, [("row 7", "11010519491231002X")], USE)
    assert found.keep == (False,) and found.objected == 1
