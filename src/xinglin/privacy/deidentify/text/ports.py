"""What this part needs from outside: recognisers of somebody else's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from xinglin.privacy.deidentify.text.model import Span


class Recogniser(Protocol):
    """Finds spans in a text as it was written."""

    def find(self, text: str) -> Iterable[Span]:
        """Spans; those outside the text are not used."""
        ...
