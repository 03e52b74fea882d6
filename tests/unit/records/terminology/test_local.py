"""The review of local codes: decisions, their table for reviewers, and what an evidence entry tells."""

from __future__ import annotations

import msgspec
import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.states import IllegalMove
from xinglin.records.terminology.errors import BadRequest, BadReview
from xinglin.records.terminology.local import Decision, LocalCode, LocalKey, change_digest, decide, told_change
from xinglin.records.terminology.review import COLUMNS, read_review, write_review

KEY = LocalKey("lis", "observation.code", "99LAB", "WBC")
LOINC = "http://loinc.org"


def decision(event: str, **told: object) -> Decision:
    return msgspec.structs.replace(Decision(KEY, event, "ann", 5), **told)


PROPOSED = decide(None, decision("propose", target="6690-2", target_system=LOINC, text="白细胞", seen=7))


def test_what_was_proposed_is_accepted_under_a_new_version() -> None:
    after = decide(PROPOSED, decision("accept", by="bo", at=9))
    assert (after.state, after.target, after.version, after.by, after.seen) == ("accepted", "6690-2", 2, "bo", 7)
    again = decide(after, decision("accept", target="26464-8", target_system=LOINC))
    assert (again.target, again.version) == ("26464-8", 3)
    assert decide(again, decision("reject")).state == "rejected"


def test_a_proposal_never_takes_the_place_of_an_accepted_mapping() -> None:
    with pytest.raises(IllegalMove):
        decide(decide(PROPOSED, decision("accept")), decision("propose"))


def test_decisions_that_say_too_little_or_too_much_are_refused() -> None:
    with pytest.raises(BadRequest):
        decide(None, decision("accept"))
    with pytest.raises(BadRequest):
        decide(None, decision("accept", target="1", target_system=""))
    with pytest.raises(BadRequest):
        decide(None, decision("accept", target="1", target_system=LOINC, equivalence="unmapped"))
    with pytest.raises(BadRequest):
        decide(None, decision("propose", by=""))
    with pytest.raises(LimitExceeded):
        decide(None, decision("reject", note="x" * 1001))
    with pytest.raises(LimitExceeded):
        decide(None, decision("reject", key=LocalKey("", "observation.code", "", "x" * 501)))


def test_no_text_of_a_source_is_in_what_is_logged() -> None:
    for value in (KEY, PROPOSED, decision("accept", text="张三")):
        assert not {"WBC", "白细胞", "张三"} & set(repr(value).replace("'", " ").split())
    assert "WBC" not in str(told_change((PROPOSED,)))


def test_the_digest_of_a_change_is_of_all_of_it_in_any_order() -> None:
    other = msgspec.structs.replace(PROPOSED, target="718-7")
    assert change_digest((PROPOSED, other)) == change_digest((other, PROPOSED))
    assert change_digest((PROPOSED,)) != change_digest((other,))
    assert told_change((PROPOSED, other)) == {"what": change_digest((PROPOSED, other)), "codes": 2, "proposed": 2}


def filled(codes: list[LocalCode], **cells: str) -> bytes:
    """The review with cells of its first row filled."""
    lines = write_review(codes).decode("utf-8-sig").splitlines()
    row = lines[1].split(",")
    for name, cell in cells.items():
        row[COLUMNS.index(name)] = cell
    return "\n".join([lines[0], ",".join(row), *lines[2:]]).encode()


def test_a_reviewers_table_comes_back_as_decisions() -> None:
    assert read_review(write_review([PROPOSED]), "bo", 9) == ()
    (one,) = read_review(filled([PROPOSED], decision="accept"), "bo", 9)
    assert (one.key, one.event, one.by, one.target) == (KEY, "accept", "bo", "6690-2")
    (one,) = read_review(filled([PROPOSED], decision="accept", equivalence="unmapped"), "bo", 9)
    assert (one.target, one.target_system, one.equivalence) == ("", "", "unmapped")


@pytest.mark.parametrize("code", ["=1+1", "+x", "-5", "@a", "'quoted", "a,b", 'a"b', "中文"])
def test_cells_come_back_as_they_were_and_are_no_formulas(code: str) -> None:
    held = decide(None, Decision(LocalKey("", "observation.code", "", code), "propose", "ann", 1))
    table = write_review([held])
    assert b",=1" not in table
    body = table.decode("utf-8-sig").replace(",equivalent,,", ",equivalent,reject,").encode()
    assert read_review(body, "bo", 2)[0].key.code == code


@pytest.mark.parametrize(
    "cells",
    [{"decision": "perhaps"}, {"decision": "accept", "equivalence": "same"}, {"decision": "accept", "target": ""}],
)
def test_a_table_with_one_bad_line_is_refused_as_a_whole(cells: dict[str, str]) -> None:
    with pytest.raises(BadReview, match="Line 2"):
        read_review(filled([PROPOSED, PROPOSED], **cells), "bo", 9)


def test_other_files_are_no_reviews() -> None:
    for body in (b"", b"a,b\n1,2\n", "编码".encode("gb18030")):
        with pytest.raises(BadReview):
            read_review(body, "bo", 9)
