"""SDK: what an analyst imports: a space, its studies, their data, and results with receipts.

``connect(folder)`` opens a *space*; ``space.study(title)`` a *study*; ``study.sql(text)`` the *data*;
``data.preview()`` says what would leave; ``data.glm(...)`` and its sisters *run* and give a *result*,
whose *receipt* verifies offline. A "no" is a typed exception with every reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Account": "account",
    "NoAccount": "account",
    "enrol": "enrolment",
    "open_account": "account",
    "Data": "data",
    "Extract": "extracts",
    "ExtractPreview": "extracts",
    "Extraction": "extracts",
    "NoAgreement": "errors",
    "NotAnswered": "errors",
    "NotVerified": "errors",
    "Refused": "errors",
    "RunEnded": "errors",
    "SdkError": "errors",
    "Unreachable": "errors",
    "Withheld": "errors",
    "Offer": "offers",
    "Preview": "preview",
    "Receipt": "results",
    "StudyResult": "results",
    "Run": "run",
    "Space": "space",
    "connect": "space",
    "Study": "study",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
