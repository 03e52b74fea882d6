"""After an erasure no file of the node says anything of the person: every byte is looked at, sealed ones too."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.intake.ports import Received
from xinglin.node.intake.loading import load
from xinglin.node.intake.recognise import of_files, recognise
from xinglin.node.intake.sources import SourceFile, write_source
from xinglin.node.intake.upkeep import erase_persons
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.trust.keys import PrivateKeys

NUMBER, NAME, FAMILY, IDENTITY, PHONE = "777123", "Zhenghetest", "郑和试", "110105194912310021", "13912345678"
STREET, NOTE, FILE = "Nanjingroad-77", "she said what nobody shall read", "zhenghetest-report"
TRACES = (NUMBER, NAME, FAMILY, IDENTITY, PHONE, STREET, NOTE, FILE)
HEAD = "病人ID,姓名,身份证号,性别,联系电话,住院号,入院时间,主诊断编码,备注\n"
FEED = (
    "MSH|^~\\&|HIS|B|C|D|20240101120000||ADT^A01|m1|P|2.4\r"
    f"PID|1||{NUMBER}^^^H^MR||{NAME}^{FAMILY}||19500307|M|||{STREET}||{PHONE}\r"
    f"PV1|1|I|W^1^1||||||||||||||||V1\rNTE|1||{NOTE}\r"
)


def export(persons: list[tuple[str, str, str, str, str]]) -> bytes:
    rows = [
        f"{n},{name},{card},男,{phone},Z{n},2024-01-02 10:00:00,I10,{note}" for n, name, card, phone, note in persons
    ]
    return (HEAD + "\n".join(rows) + "\n").encode()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenIntake]:
    """A node whose files have the person among others, in a message of their own, and in one that nobody reads."""
    node, source = tmp_path / "node", tmp_path / "his"
    node.mkdir()
    source.mkdir()
    others = [(f"{100_000 + k}", f"Other{k}", "", f"1380013{k:04d}", "n") for k in range(30)]
    body = export([*others[:15], (NUMBER, NAME + FAMILY, IDENTITY, PHONE, NOTE), *others[15:]])
    (source / f"{FILE}.csv").write_bytes(body)
    (source / "feed.hl7").write_text(FEED)
    intake = open_intake(node, NodeSettings(), PrivateKeys.generate())
    for path, name in ((source / f"{FILE}.csv", "his"), (source / "feed.hl7", "feed")):
        found = recognise(str(path), name)
        file, mapping = _mapped(of_files(found, watch=False), path)
        for _ in range(2):
            write_source(node, file, mapping)
        load(intake, file.source(node), [path])
    yield intake
    intake.close()


def _mapped(file: SourceFile, path: Path) -> tuple[SourceFile, str]:
    import msgspec

    from xinglin.records.tabular.suggest import suggest

    if path.suffix != ".csv":
        return file, ""
    return msgspec.structs.replace(file, mapping=f"{file.name}.toml"), suggest(path.read_bytes(), "his.csv").toml


def found_in(opened: OpenIntake) -> set[tuple[str, str]]:
    """Traces by file: in its bytes, in the values of its columns, in what its keys open."""
    found = set()
    for path in sorted(one for one in opened.folder.rglob("*") if one.is_file()):
        name = str(path.relative_to(opened.folder))
        for words in _said(path):
            found |= {(trace, name) for trace in TRACES if trace.encode() in words}
    after = 0
    while page := opened.raw.after(after, 100):
        for kept in page:
            after = kept.sequence
            words = opened.raw.read(kept.digest) + kept.label.encode()
            found |= {(trace, f"object {after}") for trace in TRACES if trace.encode() in words}
    return found


def _said(path: Path) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    body = path.read_bytes()
    yield body
    yield path.name.encode()
    if path.suffix == ".parquet":
        yield str(pq.read_table(io.BytesIO(body)).to_pydict()).encode()
    if body.startswith(b"SQLite format 3\0"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as opened:
            yield "\n".join(opened.iterdump()).encode()


def persons(opened: OpenIntake) -> list[str]:
    rows = opened.lake.open("patient").to_pyarrow_table(columns=["id", "name"]).to_pylist()
    return sorted({row["id"] for row in rows if NUMBER in row["id"] or NAME in (row["name"] or "")})


def test_nothing_is_left_of_a_person_who_was_erased(opened: OpenIntake) -> None:
    before = found_in(opened)
    assert {trace for trace, _ in before} == set(TRACES), "the test looks where the person is"
    who = persons(opened)
    assert len(who) == 2
    done = erase_persons(opened, who)
    assert done["left"] == 0 and done["objects"] == 2 and done["redacted"] == 1
    assert found_in(opened) == set()
    rows = opened.lake.open("patient").to_pyarrow_table().to_pylist()
    assert len({row["id"] for row in rows}) == 30, "the others stay"


def test_what_comes_back_of_an_erased_person_leaves_no_trace(opened: OpenIntake) -> None:
    """The same message under another number of its own, and a new export: rejected, and swept."""
    from xinglin.node.intake.wiring import open_erasure

    erase_persons(opened, persons(opened))
    again = [
        Received(FEED.replace("|m1|", "|m2|").encode(), "feed", "x-application/hl7-v2+er7", 1_700_000_000_000),
        Received(export([(NUMBER, NAME + FAMILY, IDENTITY, PHONE, NOTE)]), "his", "text/csv", 1_700_000_000_000),
    ]
    opened.raw.keep_all(again)
    opened.intake.drain()
    open_erasure(opened).sweep()
    assert found_in(opened) == set()


def test_what_the_person_said_of_looks_goes_and_the_pages_stay(opened: OpenIntake) -> None:
    """Complaint, answer and enrolment name the person; the digests that others' proofs lead through name nobody."""
    from xinglin.evidence.looks import Look
    from xinglin.node.joining import SALT_FILE
    from xinglin.node.looks import answer, complain, complaints, enrol
    from xinglin.node.looks_counted import code_of
    from xinglin.stores.look_book import LookBook

    folder, settings, salt = opened.folder, NodeSettings(), bytes(range(32))
    (folder / SALT_FILE).write_bytes(salt)
    going, other = persons(opened), "Patient/other"
    book = LookBook.in_folder(folder)
    for person in (*going, other):
        enrol(folder, settings, person)
        said = complain(folder, settings, person, "", f"{NOTE} of {person}" if person in going else "mine stays")
        answer(folder, settings, said.id, f"{NAME}, you were right." if person in going else "so it is", "Dr Wang")
    codes = {person: code_of(person, salt) for person in (*going, other)}
    book.note(Look(use="run-1", kind="run", at=1), codes.values())
    book.write_page("did:web:node", 0, 1)
    place = book.place(codes[other])
    complain(folder, settings, going[0], "", NOTE)  # on no page yet
    assert place is not None
    proof = book.place_proof(place, 1)
    where = {file for _, file in found_in(opened)}
    assert any(file.startswith("looks.db") for file in where), "the test looks where the words are"

    assert erase_persons(opened, going)["left"] == 0

    assert found_in(opened) == set()
    assert [one.person for one in complaints(folder, settings)] == [other]
    assert book.mismatches() == () and book.place_proof(place, 1) == proof and len(proof.looks) == 4
    assert [book.place(codes[person]) for person in going] == [None, None]
    assert enrol(folder, settings, going[0]) == 1  # who comes again has a new place, and nobody else ever the old one
    assert book.write_page("did:web:node", 0, 2).number == 2 and book.mismatches() == ()
    book.close()
