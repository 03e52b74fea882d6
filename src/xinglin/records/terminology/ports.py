"""What the terminology needs from where vocabularies and local codes are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from xinglin.records.terminology.local import LocalCode
from xinglin.records.terminology.model import CodeSystem, Concept, ConceptMap, Translation, ValueSet


class Vocabulary(Protocol):
    """Code systems, maps and value sets. Of a system without ``version`` the newest loaded one is meant."""

    def systems(self) -> tuple[CodeSystem, ...]:
        """Every loaded version of every system, by URL."""
        ...

    def system(self, url: str, version: str = "") -> CodeSystem | None:
        """One code system, or None."""
        ...

    def concept(self, url: str, code: str, version: str = "") -> Concept | None:
        """One concept; None where the system or the code is unknown. Letters' case as the system wants it."""
        ...

    def concepts(self, url: str, version: str = "", text: str = "") -> Iterator[Concept]:
        """The concepts of a system by code; with ``text`` those of whose code or names it is a part."""
        ...

    def is_below(self, url: str, code: str, ancestor: str, version: str = "") -> bool:
        """Whether ``ancestor`` is wider than ``code``; a code is not below itself."""
        ...

    def below(self, url: str, code: str, version: str = "", *, children_only: bool = False) -> Iterator[str]:
        """The codes below a code, each once, by code."""
        ...

    def value_set(self, url: str, version: str = "") -> ValueSet | None:
        """A value set, or None."""
        ...

    def maps(self) -> tuple[ConceptMap, ...]:
        """Every concept map in its newest version, without its elements."""
        ...

    def translations(self, system: str, code: str, url: str = "") -> tuple[Translation, ...]:
        """What the maps (or the one at ``url``) make of a code; empty where none knows it."""
        ...


class TermsSource(Protocol):
    """What the translation of rows reads."""

    def stamp(self) -> int:
        """Another number after every change."""
        ...

    def accepted(self) -> Sequence[LocalCode]:
        """Every local code whose mapping was accepted, as it is now."""
        ...

    def mapped_systems(self) -> frozenset[str]:
        """Systems that concept maps translate from."""
        ...

    def translations(self, system: str, code: str, url: str = "") -> tuple[Translation, ...]:
        """See ``Vocabulary``."""
        ...
