"""Law packs: articles of laws and points of control lists as data, checked against the facts of a use.

A *pack* holds *rules*: an article, when it applies, what it asks (over typed facts of a *subject*), and the remedy.
Where a person has to judge, the rule asks a *question*; the *answer* says who gave it, when and until when. A
*report* says of each article how it was checked; what is not known is never taken for satisfied. Packs also say which
*withdrawals* bind, and how many months each step of a permit may take (*clocks*).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Answer": "answers",
    "record_answer": "answers",
    "clock": "clocks",
    "due": "clocks",
    "ArticleResult": "engine",
    "LawReport": "engine",
    "check_articles": "engine",
    "law_reasons": "engine",
    "LawError": "errors",
    "FACTS": "facts",
    "PACKS": "loading",
    "load_pack": "loading",
    "read_pack": "loading",
    "StatedTerms": "stated",
    "read_stated": "stated",
    "Clock": "model",
    "Pack": "model",
    "Rule": "model",
    "Withdrawal": "model",
    "LawSubject": "subject",
    "read_subject": "subject",
    "with_terms": "subject",
    "withdrawal": "withdrawals",
    "strictest_withdrawal": "withdrawals",
    "withdrawal_rule": "withdrawals",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
