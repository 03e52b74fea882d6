"""The demo's study: what would leave, three statistics, the planted truth, and the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.sample.truth import PLANTED
from xinglin.sdk.results import StudyResult
from xinglin.sdk.study import Study

if TYPE_CHECKING:
    from xinglin.cli.demo_space import Demo

RUN_KINDS = ("admitted", "release-authorised", "delivered")


def tell_story(demo: Demo, study: Study) -> dict[str, Any]:
    """Run the study; its result as plain values."""
    from xinglin.cli.demo_space import COMPLETE, FORMULA

    # One cohort for every question: two answers about nearly the same persons would single the others out.
    data = study.sql(demo.sql(where=COMPLETE))
    demo.step("what would leave, before any row is read:")
    _indented(demo, str(data.preview("glm", formula=FORMULA, family="binomial")))
    table = data.crosstab("sex", "disease")
    demo.step("a cross-table over all four hospitals (small cells and what would give them away are hidden):")
    _indented(demo, str(table))
    model = data.glm(FORMULA, family="binomial")
    demo.step("logistic regression, exactly as if the rows lay in one place:")
    _indented(demo, str(model))
    if demo.real is None:
        _truth(demo, model)
    _evidence(demo, model)
    receipt = _proof(demo, model)
    payload = model.payload
    return {
        "formula": FORMULA,
        "terms": payload["terms"],
        "coefficients": payload["coefficients"],
        "standard_errors": payload["standard_errors"],
        "rows_used": payload["rows_used"],
        "persons_used": payload["persons_used"],
        "run": model.run_id,
        "receipt": receipt,
        "crosstab": table.payload,
    }


def _truth(demo: Demo, model: StudyResult) -> None:
    planted = PLANTED["disease"]
    found = dict(zip(model.payload["terms"], model.payload["coefficients"], strict=True))
    errors = dict(zip(model.payload["terms"], model.payload["standard_errors"], strict=True))
    demo.step("the truth that was planted in the generated hospitals, and what was found:")
    for (term, true), name in zip(planted.terms, found, strict=True):
        away = abs(found[name] - true) / errors[name]
        demo.say(
            f"          {term:<12} planted {true:8.3f}   found {found[name]:8.3f}   {away:4.1f} standard errors away"
        )


def _evidence(demo: Demo, model: StudyResult) -> None:
    space = demo.space
    assert space is not None
    space.log.refresh()
    names = space.names()
    demo.step("every step of this run is in the evidence log (index, kind, who):")
    for found in space.log.about(model.run_id):
        if found.entry.kind in RUN_KINDS:
            who = names.get(found.entry.submitter, found.entry.submitter)
            demo.say(f"          {found.index:>5}  {found.entry.kind:<20} {who}")


def _proof(demo: Demo, model: StudyResult) -> str:
    path = model.receipt.save(demo.folder / f"{model.run_id}.tlog-proof")
    proof = model.receipt.verify()
    demo.step(f"receipt verified offline: {proof}")
    demo.say(f"          again, with no network:  xinglin verify {path}")
    return model.receipt.text


def _indented(demo: Demo, text: str) -> None:
    for line in text.splitlines():
        demo.say(f"          {line}")
