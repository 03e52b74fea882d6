"""Errors of law packs: a pack, a subject or an answer that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable

from xinglin.terms.errors import TermsError
from xinglin.terms.vocabulary import nearest


class LawError(TermsError):
    """A pack, a subject or an answer that says what is not known, or not as it has to be said."""

    code = "terms.law"


def unknown_word(what: str, word: object, known: Iterable[str], place: str = "") -> LawError:
    """That ``word`` is none of the known ones, with the nearest; ``place`` stands before."""
    names = list(known)
    like = nearest(str(word), names)
    meant = f"Did you mean '{like}'? " if like else ""
    plain = str(word)[:80].encode("ascii", "replace").decode()
    return LawError(f"{place}'{plain}' is not a known {what}.", remedy=f"{meant}Known: {', '.join(names)}.")
