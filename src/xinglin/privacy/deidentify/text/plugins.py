"""Recognisers of somebody else's beside ours, and ours among somebody else's.

The shape is Presidio's: an object with ``analyze(text, entities, nlp_artifacts)`` that gives results with
``entity_type``, ``start``, ``end`` and ``score``. Presidio itself is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from xinglin.privacy.deidentify.text.finding import find
from xinglin.privacy.deidentify.text.model import NOTHING, Known, Span
from xinglin.privacy.deidentify.text.ports import Recogniser

FROM_PRESIDIO: Mapping[str, str] = {
    "PERSON": "name",
    "PHONE_NUMBER": "phone",
    "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "bank_card",
    "IBAN_CODE": "bank_card",
    "LOCATION": "address",
    "DATE_TIME": "date",
    "URL": "url",
    "IP_ADDRESS": "url",
    "US_SSN": "identity_number",
    "US_PASSPORT": "passport",
    "US_DRIVER_LICENSE": "passport",
    "MEDICAL_LICENSE": "record_number",
    "NRP": "name",
    "ORGANIZATION": "organisation",
}
"""Entities of Presidio by our kinds; any other is a ``number``."""
TO_PRESIDIO = {"name": "PERSON", "phone": "PHONE_NUMBER", "email": "EMAIL_ADDRESS", "bank_card": "CREDIT_CARD"}
TO_PRESIDIO |= {"address": "LOCATION", "date": "DATE_TIME", "url": "URL", "organisation": "ORGANIZATION"}
_SCORES = {"known": 1.0, "checksum": 1.0, "label": 0.9, "form": 0.7, "context": 0.6}


class _Presidio:
    def __init__(self, recogniser: Any, least: float) -> None:
        self._recogniser, self._least = recogniser, least

    def find(self, text: str) -> list[Span]:
        """See ``Recogniser``."""
        entities = list(getattr(self._recogniser, "supported_entities", ()))
        results = self._recogniser.analyze(text, entities, None) or ()
        return [
            Span(one.start, one.end, FROM_PRESIDIO.get(one.entity_type, "number"), "model")
            for one in results
            if one.score >= self._least
        ]


def from_presidio(recogniser: Any, least: float = 0.5) -> Recogniser:
    """A Presidio recogniser as one of ours; results below the score ``least`` are not used."""
    return _Presidio(recogniser, least)


class Result(msgspec.Struct, frozen=True):
    """A result in Presidio's shape."""

    entity_type: str
    start: int
    end: int
    score: float


class PresidioShape:
    """Our recogniser in Presidio's shape, for a registry of recognisers; ``known``: of the patient at hand."""

    name = "XinglinRecognizer"

    def __init__(self, known: Known = NOTHING, language: str = "zh") -> None:
        from xinglin.privacy.deidentify.text.model import KINDS

        self.known, self.supported_language = known, language
        self.supported_entities = sorted({TO_PRESIDIO.get(kind, kind.upper()) for kind in KINDS})

    def load(self) -> None:
        """Nothing has to be loaded."""

    def analyze(self, text: str, entities: Sequence[str] = (), nlp_artifacts: Any = None) -> list[Result]:
        """Results for the ``entities`` that are asked for, all of them where none is named."""
        del nlp_artifacts
        wanted = set(entities) or set(self.supported_entities)
        found = ((TO_PRESIDIO.get(span.kind, span.kind.upper()), span) for span in find(text, self.known))
        return [
            Result(kind, span.start, span.end, _SCORES.get(span.why, 0.6)) for kind, span in found if kind in wanted
        ]
