"""A vocabulary in memory: slow, obvious, the reference for those on a disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from xinglin.records.terminology.model import CodeSystem, Concept, ConceptMap, Translation, ValueSet, VocabularyFile


class MemoryVocabulary:
    """A ``Vocabulary`` of loaded files; of several versions the one loaded last is the newest."""

    def __init__(self, files: Iterable[VocabularyFile] = ()) -> None:
        self._systems: list[tuple[CodeSystem, dict[str, Concept]]] = []
        self._maps: list[ConceptMap] = []
        self._value_sets: list[ValueSet] = []
        for file in files:
            self.add(file)

    def add(self, file: VocabularyFile) -> None:
        """Take in a file; the same version of the same system takes the place of the one before."""
        for system, concepts in file.systems:
            same = (system.url, system.version)
            self._systems = [held for held in self._systems if (held[0].url, held[0].version) != same]
            counted = msgspec.structs.replace(system, concepts=len(concepts))
            self._systems.append((counted, {concept.code: concept for concept in concepts}))
        self._maps += file.maps
        self._value_sets += file.value_sets

    def systems(self) -> tuple[CodeSystem, ...]:
        """See the port."""
        return tuple(sorted((system for system, _ in self._systems), key=lambda one: (one.url, one.version)))

    def system(self, url: str, version: str = "") -> CodeSystem | None:
        """See the port."""
        held = self._held(url, version)
        return held[0] if held else None

    def concept(self, url: str, code: str, version: str = "") -> Concept | None:
        """See the port."""
        held = self._held(url, version)
        if held is None:
            return None
        found = held[1].get(code)
        if found is None and not held[0].case_sensitive:
            found = next((one for one in held[1].values() if one.code.casefold() == code.casefold()), None)
        return found

    def concepts(self, url: str, version: str = "", text: str = "") -> Iterator[Concept]:
        """See the port."""
        held = self._held(url, version)
        wanted = text.casefold()
        for code in sorted(held[1]) if held else ():
            concept = held[1][code] if held else Concept(code)
            if any(wanted in name.casefold() for name in (concept.code, *concept.names())):
                yield concept

    def is_below(self, url: str, code: str, ancestor: str, version: str = "") -> bool:
        """See the port."""
        return code in self._under(url, ancestor, version)

    def below(self, url: str, code: str, version: str = "", *, children_only: bool = False) -> Iterator[str]:
        """See the port."""
        held = self._held(url, version)
        if held and children_only:
            yield from sorted(one.code for one in held[1].values() if code in one.parents)
        else:
            yield from sorted(self._under(url, code, version))

    def value_set(self, url: str, version: str = "") -> ValueSet | None:
        """See the port."""
        found = [one for one in self._value_sets if one.url == url and version in ("", one.version)]
        return found[-1] if found else None

    def maps(self) -> tuple[ConceptMap, ...]:
        """See the port."""
        newest = {one.url: msgspec.structs.replace(one, elements=(), count=len(one.elements)) for one in self._maps}
        return tuple(newest[url] for url in sorted(newest))

    def mapped_systems(self) -> frozenset[str]:
        """See the port ``TermsSource``."""
        return frozenset(element.source_system for one in self._newest_maps() for element in one.elements)

    def translations(self, system: str, code: str, url: str = "") -> tuple[Translation, ...]:
        """See the port."""
        return tuple(
            Translation(element.target, element.target_system, element.equivalence, element.display, one.url)
            for one in self._newest_maps()
            if url in ("", one.url)
            for element in one.elements
            if (element.source_system, element.code) == (system, code)
        )

    def _newest_maps(self) -> list[ConceptMap]:
        return list({one.url: one for one in self._maps}.values())

    def _held(self, url: str, version: str) -> tuple[CodeSystem, dict[str, Concept]] | None:
        found = [held for held in self._systems if held[0].url == url and version in ("", held[0].version)]
        return found[-1] if found else None

    def _under(self, url: str, ancestor: str, version: str) -> set[str]:
        held = self._held(url, version)
        found: set[str] = set()
        waiting = [ancestor] if held else []
        while waiting and held:
            wider = waiting.pop()
            fresh = {one.code for one in held[1].values() if wider in one.parents} - found
            found |= fresh
            waiting += fresh
        return found - {ancestor}
