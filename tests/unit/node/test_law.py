"""Terms that are listed are checked by the node's own packs; answers name a rule that asks; verbs tell it all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.terms_law.cases import OWN
from typer.testing import CliRunner

from xinglin.cli.law_node_verbs import app
from xinglin.cli.output import printer
from xinglin.kernel.instants import from_text
from xinglin.node.law import _outside, policy_words, read_node_law, record, report, terms_reasons
from xinglin.node.site import Site
from xinglin.terms.fences import Fence, Passage, tighten
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.subject import LawSubject
from xinglin.terms.policy import Constraint, Permission, Policy

NOW = from_text("2026-11-22T00:00:00Z")
RULES = """
[[rule]]
id = "no-training"
article = "Own rule 1"
words = "Statistics alone."
words_zh = "仅限统计。"
check = { fact = "operations", only = ["statistics"] }
remedy = "Ask for statistics."

[[rule]]
id = "looked"
article = "Own rule 2"
words = "An officer looks."
words_zh = "由专人审查。"
judgement = true
question = "Did an officer look?"
question_zh = "是否已审查？"
valid_days = 30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "law_packs").mkdir()
    (tmp_path / "law_packs" / "own.toml").write_text(OWN + RULES + 'remedy = "Have one look."\n', encoding="utf-8")
    (tmp_path / "law.toml").write_text('packs = ["own"]\n', encoding="utf-8")
    return tmp_path


def permits(action: str) -> Policy:
    return Policy((Permission(action, (Constraint("purpose", "isAnyOf", ("general-research", "education")),)),))


def test_what_a_policy_names_is_checked() -> None:
    assert policy_words(permits("training")) == ({"general-research", "education"}, {"training"})
    assert policy_words(Policy()) == (frozenset(), frozenset())


def test_terms_that_are_listed_are_refused_with_every_reason(folder: Path) -> None:
    codes = [one.code for one in terms_reasons(folder, "cardiology", permits("training"), NOW)]
    assert codes == ["terms.law.own.no-training", "terms.law_unanswered.own.looked"]
    record(folder, "own.looked", True, "cardiology", "officer", 3, "", clock=lambda: NOW - 1)
    assert terms_reasons(folder, "cardiology", permits("statistics"), NOW) == ()
    assert terms_reasons(folder, "other", permits("statistics"), NOW) != ()
    (folder / "law.toml").unlink()
    assert terms_reasons(folder, "cardiology", permits("training"), NOW) == ()
    assert read_node_law(folder) is None


def test_an_answer_needs_a_rule_that_asks(folder: Path) -> None:
    for key, words in (("own.lookd", "Did you mean 'own.looked'"), ("own.no-training", "asks no person")):
        with pytest.raises(LawError) as caught:
            record(folder, key, True, "cardiology", "officer", None, "")
        assert words in f"{caught.value.what} {caught.value.remedy}"
    with pytest.raises(LawError):
        record(folder, "own.looked", True, "cardiology", "officer", 31, "")
    (folder / "law.toml").unlink()
    with pytest.raises(LawError):
        report(folder, "cardiology", "", NOW)


def test_the_verbs(folder: Path) -> None:
    def call(*words: str) -> tuple[int, object]:
        printer.as_json = True
        try:
            done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
        finally:
            printer.as_json = False
        return done.exit_code, json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.output

    code, told = call("report", "cardiology")
    assert code == 1 and isinstance(told, dict) and told["counts"] == {"needs an answer": 1, "not known": 1}
    code, told = call("answer", "own.looked", "yes", "--matter", "cardiology", "--by", "officer", "--days", "2")
    assert code == 0 and isinstance(told, dict) and told["digest"].startswith("sha256:")
    code, told = call("answers")
    assert code == 0 and isinstance(told, list) and told[0]["rule"] == "own.looked" and told[0]["answer"] == "yes"
    assert call("answer", "own.looked", "maybe", "--matter", "cardiology", "--by", "officer")[0] != 0
    assert call("report", "--agreement", "sha256:none")[0] != 0
    assert call("pilot", "report", "heart.pilot")[0] != 0


@pytest.mark.parametrize(
    ("destinations", "codes"),
    [
        ({"CN-SH", "CN-ZJ"}, set()),
        ({"CN-SH", "DE"}, {"terms.fence_passages"}),
        ({"CN-SH", "CN-JS"}, {"terms.fence_passages"}),
        (None, {"terms.fence_passages"}),
        (set(), {"terms.fence_passages"}),
    ],
)
def test_passages_are_judged_for_every_destination(destinations: set[str] | None, codes: set[str]) -> None:
    lists = Fence("lists", passages=(Passage("health-status", "CN-SH", "CN-ZJ"),))
    subject = LawSubject(
        matter="study-1",
        at=NOW,
        origin="CN-SH",
        destinations=None if destinations is None else frozenset(destinations),
        categories=frozenset({"health-status"}),
    )
    for fence in (lists, tighten(Fence("house", places=("CN",)), lists)):
        found = _outside(fence, subject, Site("CN-SH", "10.1.0.0/16", "node"))
        assert {one.code for one in found} == codes
    wrong = _outside(Fence("house", environments=("workspace",)), subject, Site("CN-SH", "", "node"))
    assert [one.code for one in wrong] == ["terms.fence_environment"]
