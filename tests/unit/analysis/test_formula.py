"""Is a formula read against the allow-list, and nothing else of it ever run?"""

from __future__ import annotations

import builtins
import contextlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.analysis.pooling import category, flag, number

from xinglin.analysis.algorithm import AlgorithmSpec, build
from xinglin.analysis.errors import AnalysisError, FormulaRefused, NoPublishedRange, UnknownColumn
from xinglin.analysis.formula import Categorical, Formula, Log, Numeric, Power, Spline, parse_formula
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.terms.thresholds import DisclosureRules

DOMAIN = (
    number("age", 18, 110, integer=True),
    number("change", -5, 5),
    number("free", float("-inf"), float("inf")),
    category("arm", "placebo", "low", "high"),
    flag("event"),
    number("y", 0, 10),
)

ATTACKS = [
    "y ~ __import__('os').system('id')",
    "y ~ eval('1')",
    "y ~ exec(age)",
    "y ~ open('/etc/passwd')",
    "y ~ getattr(age, 'x')",
    "y ~ age.__class__",
    "y ~ age.values",
    "y ~ np.log(age)",
    "y ~ log(np)(age)",
    "y ~ (lambda: age)()",
    "y ~ lambda x: x",
    "y ~ [x for x in age]",
    "y ~ {age}",
    "y ~ age if event else y",
    "y ~ f'{age}'",
    'y ~ f"{age}"',
    "y ~ b'age'",
    "y ~ 'age'",
    'y ~ "age"',
    "y ~ I(age + 1)",
    "y ~ Q('age')",
    'y ~ Q("age")',
    "y ~ `age`",
    "y ~ bs(age, df=3)",
    "y ~ cr(age, df=3)",
    "y ~ center(age)",
    "y ~ standardize(age)",
    "y ~ C(age, Treatment(1))",
    "y ~ C(age, contr.sum)",
    "y ~ C(age, levels=[1])",
    "y ~ C((age))",
    "y ~ C(C(arm))",
    "y ~ log(log(age))",
    "y ~ log(age + 1)",
    "y ~ log(age, 2)",
    "y ~ age ** age",
    "y ~ age ^ 1.5",
    "y ~ age ^ -1",
    "y ~ age ^ 1e1",
    "y ~ age ** 10",
    "y ~ age ^ 1_0",
    "y ~ age / 2",
    "y ~ age % event",
    "y ~ age %in% event",
    "y ~ age @ event",
    "y ~ age & event",
    "y ~ age | event",
    "y ~ age > 5",
    "y ~ age == 5",
    "y ~ not age",
    "y ~ age := 5",
    "y ~ age; import os",
    "y ~ age\nimport os",
    "y ~ age # comment",
    "y ~ age \\\n + event",
    "y ~ .",
    "y ~ age + ...",
    "y ~ 2",
    "y ~ 1.0",
    "y ~ 0x1",
    "y ~ age:1",
    "y ~ 2*age",
    "y ~ (age - 1)",
    "y ~ age event",
    "y ~ age,event",
    "y, age ~ event",
    "y + age ~ event",
    "y * age ~ event",
    "C(y) ~ age",
    "poly(y, 2) ~ age",
    "y^2 ~ age",
    "1 ~ age",
    "~ age",
    "y ~",
    "y",
    "",
    " ",
    "y ~ age ~ event",
    "y ~ (age",
    "y ~ age)",
    "y ~ ()",
    "y ~ + ",
    "y ~ age +",
    "y ~ age ++ event",
    "y ~ age -- event",
    "y ~ C(",
    "y ~ C()",
    "y ~ C(arm, ref)",
    "y ~ C(arm, ref=)",
    "y ~ C(arm, ref=low)",
    "y ~ C(arm, ref='lo\\'w')",
    "y ~ C(arm, ref='low",
    "y ~ C(arm, 'low')",
    "y ~ ns(age)",
    "y ~ ns(age, 3)",
    "y ~ ns(age, df=3)",
    "y ~ ns(age, knots=[])",
    "y ~ ns(age, knots=[50, 40])",
    "y ~ ns(age, knots=[40, 40])",
    "y ~ ns(age, knots=[40], boundary=[50, 90])",
    "y ~ ns(age, knots=[40], boundary=[20])",
    "y ~ ns(age, knots=[1e400])",
    "y ~ ns(age, knots=[nan])",
    "y ~ poly(age)",
    "y ~ poly(age, 0)",
    "y ~ poly(age, 99)",
    # Unicode that looks like, or normalises to, something allowed.
    "y ~ \uff41\uff47\uff45",
    "y ~ \u2110(age)",
    "y ~ age\u200b",
    "y ~ age\u00a0+ event",
    "y ~ age \u2212 event",
    "y ~ age \uff0b event",
    "y ~ age\u2236event",
    "y ~ \u0661",
    "y ~ age^\u00b2",
    "y ~ age\u00b2",
    "y \u223c age",
    "y ~ __class__",
    "y ~ __person",
    "y ~ age\x00",
    "y ~ \ud800",
]


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_everything_but_the_short_list_is_refused(text, monkeypatch) -> None:
    evaluated: list[str] = []
    refusal: XinglinError | None = None
    with monkeypatch.context() as patched:
        for name in ("eval", "exec", "compile", "open"):
            patched.setattr(builtins, name, lambda *_, name=name, **__: evaluated.append(name))
        try:
            parse_formula(text)
        except XinglinError as error:
            refusal = error
    assert not evaluated
    assert isinstance(refusal, FormulaRefused | LimitExceeded)
    if isinstance(refusal, FormulaRefused):
        assert 0 <= refusal.position <= len(text)
        assert "Allowed:" in refusal.remedy


@pytest.mark.parametrize(
    ("text", "position"),
    [("y ~ age + np.log(x)", 12), ("y ~ age + system(x)", 10), ("y ~ age^50", 8), ("y ~ C(arm, ref=low)", 15)],
)
def test_the_position_is_where_reading_stopped(text, position) -> None:
    with pytest.raises(FormulaRefused) as refusal:
        parse_formula(text)
    assert refusal.value.position == position


@pytest.mark.parametrize(
    ("text", "terms", "intercept"),
    [
        ("y ~ age", ["age"], True),
        ("y ~ 1", [], True),
        ("y ~ age - 1", ["age"], False),
        ("y ~ 0 + age", ["age"], False),
        ("y ~ -1 + age", ["age"], False),
        ("y ~ age + 1 - 1 + 1", ["age"], True),
        ("y ~ a*b", ["a", "b", "a:b"], True),
        ("y ~ a*b*c - a:b:c", ["a", "b", "c", "a:b", "a:c", "b:c"], True),
        ("y ~ a:b + a", ["a", "a:b"], True),
        ("y ~ a:b + b:a", ["a:b"], True),
        ("y ~ a + a + a", ["a"], True),
        ("y ~ (a + b):(c + d)", ["a:c", "a:d", "b:c", "b:d"], True),
        ("y ~ a:b*c", ["c", "a:b", "a:b:c"], True),
        ("y ~ age^2 + age**3", ["age^2", "age^3"], True),
        ("y ~ age^1", ["age"], True),
        ("y ~ poly(age, 3)", ["age", "age^2", "age^3"], True),
        ("log(y)~log(age)", ["log(age)"], True),
        ("y ~ 年龄 + größe + _x1", ["年龄", "größe", "_x1"], True),
        ("y ~\tC( arm , ref = 'a b' )\n", ["C(arm)"], True),
        ("y ~ ns(age, knots=[-1.5, .5, 2e1], boundary=[-2, 30])", ["ns(age, -1.5, 0.5, 20)"], True),
        ("C ~ log + ns", ["log", "ns"], True),
    ],
)
def test_what_is_allowed_means_what_it_says(text, terms, intercept) -> None:
    formula = parse_formula(text)
    assert [":".join(factor.label for factor in term) for term in formula.terms] == terms
    assert formula.intercept is intercept


def test_values_are_typed() -> None:
    formula = parse_formula("log(y) ~ C(arm, ref='low'):age + C(k, ref=2) + age^2 + ns(age, knots=[40])")
    assert formula.response == Log("y")
    assert formula.columns == ("y", "k", "age", "arm")
    assert set(formula.terms) == {
        (Categorical("k", "2"),),
        (Power("age", 2),),
        (Spline("age", (40.0,), None),),
        (Categorical("arm", "low"), Numeric("age")),
    }


@pytest.mark.parametrize(
    "text",
    [
        "y ~ " + " + ".join(f"x{k}" for k in range(201)),
        "y ~ " + "(" * 17 + "x" + ")" * 17,
        "y ~ a:b:c:d:e",
        "y ~ " + "*".join(f"x{k}" for k in range(9)),
        "y ~ ns(x, knots=[" + ",".join(map(str, range(17))) + "])",
        "y ~ " + "x" * 4096,
        "y ~ " + "(" * 4000,
    ],
)
def test_one_more_than_each_limit_is_refused(text) -> None:
    with pytest.raises((FormulaRefused, LimitExceeded)):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("y ~ unknown", UnknownColumn),
        ("y ~ log(change)", NoPublishedRange),
        ("y ~ free", NoPublishedRange),
        ("y ~ log(arm)", UnknownColumn),
        ("y ~ arm^2", UnknownColumn),
        ("arm ~ age", UnknownColumn),
        ("y ~ C(change)", AnalysisError),
        ("y ~ C(arm, ref='nobody')", AnalysisError),
        ("y ~ C(arm, ref='low') + C(arm, ref='high'):age", AnalysisError),
        ("y ~ y + age", AnalysisError),
        ("y ~ ns(age, knots=[200])", AnalysisError),
    ],
)
def test_what_does_not_fit_the_published_domain_is_refused_before_any_row(text, error) -> None:
    with pytest.raises(error):
        build(AlgorithmSpec("glm", {"formula": text, "family": "gaussian"}), DOMAIN, DisclosureRules())


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_a_named_refusal(text) -> None:
    with contextlib.suppress(XinglinError):
        assert isinstance(parse_formula(text), Formula)


PIECES = ["y", "~", "age", "C(arm)", "C(arm, ref='low')", "log(age)", "+", "-", "*", ":", "^", "2", "1", "0", "(", ")"]
MORE = ["ns(age, knots=[40, 60])", "poly(age, 2)", ",", "event", "**", " ", "__import__", ".", "'", "[", "]", "="]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES + MORE), max_size=14), st.text(string.printable, max_size=2))
def test_near_formulas_build_or_are_refused_by_name(pieces, tail) -> None:
    text = "y ~ " + "".join(pieces) + tail
    try:
        build(AlgorithmSpec("glm", {"formula": text, "family": "gaussian"}), DOMAIN, DisclosureRules())
    except XinglinError as refusal:
        assert refusal.code.startswith(("analysis.", "kernel."))
