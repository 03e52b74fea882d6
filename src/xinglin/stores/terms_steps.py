"""The reading child's steps with a node's terminology: ``terms_steps`` is named in ``Configure``."""

from __future__ import annotations

from pathlib import Path

from xinglin.intake.preparing import Steps
from xinglin.intake.standard import standard_steps
from xinglin.records.terminology.translating import StoredTerms
from xinglin.stores.terms_store import TermsStore

TERMS_STEPS = "xinglin.stores.terms_steps:terms_steps"


def terms_steps(path: str) -> Steps:
    """The standard steps, with codes from the terminology at ``path``, which is read and may come later."""
    return standard_steps(StoredTerms(TermsStore(Path(path), read_only=True)))
