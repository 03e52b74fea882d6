"""Every vocabulary answers alike: in memory (the reference), on a disk, and read by another process' connection."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.records.terminology import vocabularies as held

from xinglin.kernel.errors import LimitExceeded
from xinglin.records.terminology.errors import UnknownCode, UnknownFilter, UnknownSystem, UnknownValueSet
from xinglin.records.terminology.expansion import contains, expand
from xinglin.records.terminology.loaders import load_vocabulary
from xinglin.records.terminology.memory import MemoryVocabulary
from xinglin.records.terminology.model import Filter, Include, Provenance, ValueSet, VocabularyFile
from xinglin.records.terminology.operations import lookup, subsumes, translate, validate_code
from xinglin.records.terminology.ports import Vocabulary
from xinglin.records.terminology.systems import ICD10, ICD10_CN, LOINC, SNOMED, UCUM
from xinglin.stores.terms_store import TermsStore

KINDS = "http://example.org/kinds"
ANIMALS = "http://example.org/vs/animals"


def files() -> list[VocabularyFile]:
    older: Any = copy.deepcopy(held.CODE_SYSTEM) | {"version": "1"}
    older["concept"] = older["concept"][:1]
    loinc = {"Loinc.csv": held.LOINC_CSV, "zhCN5LinguisticVariant.csv": held.LOINC_ZH}
    return [
        load_vocabulary("fhir", {"old.json": held.as_json(older)}),
        load_vocabulary("fhir", {"b.json": held.as_json(held.BUNDLE)}),
        load_vocabulary("snomed", held.as_bytes(held.SNOMED_FILES)),
        load_vocabulary("loinc", held.as_bytes(loinc)),
    ]


@pytest.fixture(params=["memory", "store", "read-only"], scope="module")
def vocabulary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    if request.param == "memory":
        yield MemoryVocabulary(files())
        return
    folder: Path = tmp_path_factory.mktemp("terms")
    store = TermsStore.in_folder(folder)
    for file in files():
        store.load(file, 5)
    if request.param == "store":
        yield store
    else:
        reader = TermsStore.in_folder(folder, read_only=True)
        yield reader
        reader.close()
    store.close()


def codes(vocabulary: Vocabulary, *include: Include, exclude: tuple[Include, ...] = (), **told: Any) -> list[str]:
    chosen = ValueSet("urn:x", "1", "x", Provenance("x"), include, exclude)
    return [one.code for one in expand(vocabulary, chosen, **told).codes]


def below(op: str, value: str, name: str = "concept") -> Include:
    return Include(KINDS, "", (), (Filter(name, op, value),))


def test_concepts_with_their_names_parents_and_properties(vocabulary: Vocabulary) -> None:
    dog = lookup(vocabulary, KINDS, "dog").concept
    assert (dog.names(), dog.parents, dog.inactive) == (("Dog", "狗"), ("animal",), False)
    assert lookup(vocabulary, KINDS, "plant").concept.property("green") == "true"
    assert lookup(vocabulary, KINDS, "DOG").concept == dog  # the system does not look at case
    with pytest.raises(UnknownCode):
        lookup(vocabulary, SNOMED, "99")
    with pytest.raises(UnknownSystem):
        lookup(vocabulary, "http://none.example", "1")


def test_older_versions_stay_and_the_newest_is_meant(vocabulary: Vocabulary) -> None:
    assert lookup(vocabulary, KINDS, "moss").system.version == "2"
    assert lookup(vocabulary, KINDS, "dog", "1").system.version == "1"
    with pytest.raises(UnknownCode):
        lookup(vocabulary, KINDS, "moss", "1")
    with pytest.raises(UnknownSystem):
        lookup(vocabulary, KINDS, "dog", "3")
    assert [one.version for one in vocabulary.systems() if one.url == KINDS] == ["1", "2"]
    assert [one.concepts for one in vocabulary.systems() if one.url == KINDS] == [3, 5]


def test_wider_and_narrower(vocabulary: Vocabulary) -> None:
    assert subsumes(vocabulary, SNOMED, "10", "30") == "subsumes"
    assert subsumes(vocabulary, SNOMED, "30", "10") == "subsumed-by"
    assert subsumes(vocabulary, SNOMED, "30", "40") == "not-subsumed"
    assert subsumes(vocabulary, SNOMED, "30", "30") == "equivalent"
    assert list(vocabulary.below(SNOMED, "10")) == ["20", "30", "40"]
    assert list(vocabulary.below(SNOMED, "10", children_only=True)) == ["20", "40"]
    assert not vocabulary.is_below(SNOMED, "10", "10")


def test_validation(vocabulary: Vocabulary) -> None:
    assert validate_code(vocabulary, "718-7", LOINC, display="血红蛋白").valid
    assert not validate_code(vocabulary, "718-8", LOINC).valid
    assert validate_code(vocabulary, "9999-1", LOINC).inactive
    assert validate_code(vocabulary, "dog", KINDS, value_set=ANIMALS).valid
    assert validate_code(vocabulary, "dog", value_set=ANIMALS).display == "Dog"
    assert not validate_code(vocabulary, "dodo", KINDS, value_set=ANIMALS).valid
    assert not validate_code(vocabulary, "dog", SNOMED, value_set=ANIMALS).valid
    assert validate_code(vocabulary, "mg/dL", UCUM).valid
    assert validate_code(vocabulary, "mmHg", UCUM).words == "UCUM writes it mm[Hg]."
    with pytest.raises(UnknownValueSet):
        validate_code(vocabulary, "dog", value_set="http://none.example")


def test_expansion_by_every_filter(vocabulary: Vocabulary) -> None:
    assert codes(vocabulary, below("is-a", "animal")) == ["animal", "dodo", "dog"]
    assert codes(vocabulary, below("descendent-of", "animal")) == ["dodo", "dog"]
    assert codes(vocabulary, below("child-of", "plant")) == ["moss"]
    assert codes(vocabulary, below("is-not-a", "animal")) == ["moss", "plant"]
    assert codes(vocabulary, below("generalizes", "dog")) == ["animal", "dog"]
    assert codes(vocabulary, below("=", "true", "green")) == ["plant"]
    assert codes(vocabulary, below("exists", "true", "green")) == ["plant"]
    assert codes(vocabulary, below("in", "dog, moss", "code")) == ["dog", "moss"]
    assert codes(vocabulary, below("not-in", "dog,moss,plant", "code")) == ["animal", "dodo"]
    assert codes(vocabulary, below("regex", "do.*", "code")) == ["dodo", "dog"]
    assert codes(vocabulary, Include(KINDS), active_only=True) == ["animal", "dog", "moss", "plant"]
    assert codes(vocabulary, Include(KINDS), exclude=(below("is-a", "animal"),)) == ["moss", "plant"]
    assert codes(vocabulary, Include(KINDS, "1")) == ["animal", "dodo", "dog"]
    for op, value in (("regex", "(a+)+"), ("regex", "("), ("like", "x")):
        with pytest.raises(UnknownFilter):
            codes(vocabulary, below(op, value))


def test_expansion_by_text_and_page_and_of_sets_within_sets(vocabulary: Vocabulary) -> None:
    assert codes(vocabulary, Include(KINDS), text="狗") == ["dog"]
    assert codes(vocabulary, Include(KINDS), offset=1, count=2) == ["dodo", "dog"]
    assert codes(vocabulary, Include(KINDS, "", (), (), (ANIMALS,))) == ["animal", "dog"]
    assert codes(vocabulary, Include("", "", (), (), (ANIMALS,)), Include(KINDS, "", (("moss", ""),))) == [
        "animal",
        "dog",
        "moss",
    ]
    whole = expand(vocabulary, f"{SNOMED}?fhir_vs=isa/20", count=10)
    assert [one.code for one in whole.codes] == ["20", "30"]
    assert expand(vocabulary, SNOMED, count=2).total == 5
    with pytest.raises(LimitExceeded):
        expand(vocabulary, SNOMED, count=10_001)
    with pytest.raises(UnknownValueSet):
        expand(vocabulary, "http://none.example")


def test_membership_is_told_without_expanding(vocabulary: Vocabulary) -> None:
    assert contains(vocabulary, ANIMALS, KINDS, "dog") == (KINDS, "Dog")
    assert contains(vocabulary, ANIMALS, KINDS, "dodo") is None
    assert contains(vocabulary, f"{SNOMED}?fhir_vs=isa/20", "", "30") == (SNOMED, "Type 2 diabetes mellitus")


def test_translation_closest_first_with_what_is_lost(vocabulary: Vocabulary) -> None:
    local = "http://example.org/local"
    assert [(one.code, one.equivalence) for one in translate(vocabulary, local, "A").targets] == [
        ("animal", "wider"),
        ("dog", "narrower"),
    ]
    assert not translate(vocabulary, local, "Z").found
    assert not translate(vocabulary, local, "D", SNOMED).found
    assert not translate(vocabulary, local, "D", url="http://example.org/other").found
    (one,) = translate(vocabulary, ICD10_CN, "I25.103").targets
    assert (one.code, one.system, one.equivalence) == ("I25.1", ICD10, "wider")
    assert [(m.url, m.count) for m in vocabulary.maps()] == [("http://example.org/map", 5)]


def test_a_system_of_which_only_a_part_is_known_does_not_refuse(vocabulary: Vocabulary) -> None:
    part = held.CODE_SYSTEM | {"url": "urn:part", "content": "fragment"}
    partial = MemoryVocabulary([load_vocabulary("fhir", {"p.json": held.as_json(part)})])
    said = validate_code(partial, "unheard", "urn:part")
    assert said.valid
    assert said.words
