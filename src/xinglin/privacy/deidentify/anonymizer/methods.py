"""What methods do to primitive values; the formulas are those of the configurations' own tool.

Date shift: the offset is a polynomial hash of the resource's id and the key, −50 to 50 days: weak (101 values), kept
because hospitals' files were made with it. Our own profiles use a keyed function over a wider range.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable
from datetime import date
from operator import mul
from typing import Any, Final

from xinglin.kernel.limits import Limit
from xinglin.privacy.deidentify.anonymizer.configuration import Parameters, Rule
from xinglin.privacy.deidentify.anonymizer.evaluate import Run, predicate
from xinglin.privacy.deidentify.errors import DeidentifyError
from xinglin.records.fhir.definitions import resource_types

REDACTED, ABSTRACTED, HASHED, ENCRYPTED, PERTURBED, SUBSTITUTED, GENERALIZED = (1 << n for n in range(7))
_SEED, _RANGE, _OLDEST = 131, 50, 89
_YEAR = r"([0-9](?:[0-9](?:[0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_DATE = re.compile(rf"{_YEAR}(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[1-2][0-9]|3[0-1])(T{_CLOCK}{_ZONE})?)?)?")
_CLOCKS = re.compile(_CLOCK)
_DIGIT = re.compile(r"\d")
DATES = ("date", "dateTime", "instant")
REMEMBERED = Limit("remembered dates of one engine", 32_768, "dates")
WHOLE = ("integer", "positiveInt", "unsignedInt")
NUMBERS = ("decimal", *WHOLE)


class Same:
    """The value stays: no function is called for it."""


class Gone:
    """The value goes, whatever it is."""


SAME: Final = Same()
GONE: Final = Gone()


class Failed(DeidentifyError):
    """A rule that cannot be carried out on a value."""

    code = "privacy.deidentify.rule"


class Work:
    """What one resource's methods share: which methods did anything, and the id that dates are shifted by."""

    __slots__ = ("days", "flags", "prefixes", "rank")

    def __init__(self, prefixes: tuple[str, str], rank: int) -> None:
        self.flags = 0
        self.days: list[int | None] = [None, None]
        self.prefixes, self.rank = prefixes, rank


Leaf = Callable[[Any, Work], Any] | Same | Gone


class Methods:
    """Makes the functions of rules for primitive values."""

    def __init__(self, parameters: Parameters, today: date, entropy: Callable[[int], bytes]) -> None:
        self._parameters, self._entropy = parameters, entropy
        self._oldest_birth = (f"{today.year - _OLDEST - 1:04d}", f"{today.month:02d}", f"{today.day:02d}")
        self._powers = [1]
        self._days_told: dict[str, tuple[int, str]] = {}
        self._shift_key = parameters.date_shift_key or entropy(16).hex()
        self._hash = hmac.new((parameters.crypto_hash_key or entropy(16).hex()).encode(), digestmod="sha256")
        key = parameters.encrypt_key.encode() or entropy(16)
        self._encrypt_key = key
        types = "|".join(sorted(resource_types("R4")))
        self._references = (
            re.compile(rf"((?:https?://[A-Za-z0-9\\/.:%$]*)?(?:{types})/)([A-Za-z0-9\-.]{{1,64}})(/_history/[A-Za-z0-9\-.]{{1,64}})?"),
            re.compile(r"(urn:oid:)([0-2](?:\.(?:0|[1-9][0-9]*))+)()"),
            re.compile(r"(urn:uuid:)([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})()"),
        )  # fmt: skip

    def leaf(self, rule: Rule, rank: int, kind: str, name: str, within: str, own: bool) -> Leaf:
        """The function of a rule for values of a primitive type; ``rank``: of the rule among all that apply."""
        if rule.method == "keep":
            return SAME
        if rule.method == "redact":
            return self._redact(kind, name, within)
        if rule.method == "dateShift":
            return self._shifter(rank, kind == "date") if kind in DATES else SAME
        if rule.method == "cryptoHash":
            return self._hash_reference if (within, name) == ("Reference", "reference") else self._hash_value
        if rule.method == "encrypt":
            return self._encrypt
        if rule.method == "substitute":
            return _substituter(rule.replacement) if own else SAME
        if rule.method == "perturb":
            return self._perturber(rule, kind) if kind in NUMBERS else SAME
        return _generaliser(rule, kind)

    def _redact(self, kind: str, name: str, within: str) -> Leaf:
        told = self._parameters
        if kind in DATES:
            return self._year if told.enable_partial_dates_for_redact else GONE
        if kind == "decimal" and within == "Age":
            return _low_age if told.enable_partial_ages_for_redact else GONE
        if name == "postalCode":
            return self._area if told.enable_partial_zip_codes_for_redact else GONE
        return GONE

    def _old(self, found: re.Match[str]) -> bool:
        return (found[1], found[2] or "01", found[3] or "01") <= self._oldest_birth

    def _year(self, value: Any, work: Work) -> str | None:
        work.flags |= REDACTED
        found = _DATE.search(value) if type(value) is str else None
        return found[1] if found is not None and not self._old(found) else None

    def _area(self, value: Any, work: Work) -> str | None:
        if type(value) is not str:
            return None
        work.flags |= ABSTRACTED
        if value.startswith(self._parameters.restricted_zip_code_tabulation_areas):
            return _DIGIT.sub("0", value)
        return value[:3] + _DIGIT.sub("0", value[3:])

    def _shifter(self, rank: int, day_only: bool) -> Leaf:
        parsed = self._days_told

        def shift(value: Any, work: Work) -> str | None:
            told = parsed.get(value) if type(value) is str else None
            if told is None:
                told = self._read_day(value)
                if told is None:
                    return self._partly(value, work)
            days = work.days[work.rank < rank]
            try:
                day = date.fromordinal(told[0] + (self._days(work, rank) if days is None else days))
            except (ValueError, OverflowError):
                return self._partly(value, work)
            work.flags |= PERTURBED
            return day.isoformat() if day_only else day.isoformat() + told[1]

        return shift

    def _read_day(self, value: Any) -> tuple[int, str] | None:
        """The day of a date and its clock at midnight; ``None`` for what has no day or tells a high age."""
        found = _DATE.search(value) if type(value) is str else None
        if found is None or not found[3] or self._old(found):
            return None
        try:
            day = date(int(found[1]), int(found[2]), int(found[3])).toordinal()
        except ValueError:
            return None
        if len(self._days_told) >= REMEMBERED.value:
            self._days_told.clear()
        told = self._days_told[value] = (day, _CLOCKS.sub(_midnight, found[4], count=1) if found[4] else "")
        return told

    def _partly(self, value: Any, work: Work) -> str | None:
        if self._parameters.enable_partial_dates_for_redact:
            return self._year(value, work)
        work.flags |= REDACTED
        return None

    def _days(self, work: Work, rank: int) -> int:
        """By the id as it stands when the rule is reached, so that one resource may have two offsets."""
        which = work.rank < rank
        known = work.days[which]
        if known is None:
            known = work.days[which] = self._offset(work.prefixes[which])
        return known

    def _offset(self, prefix: str) -> int:
        told = self._parameters
        if told.date_shift_fixed_offset is not None:
            return told.date_shift_fixed_offset
        prefix = told.date_shift_key_prefix or prefix
        body = (prefix + self._shift_key).encode("utf-8", "surrogatepass")
        while len(self._powers) < len(body):
            self._powers.append(self._powers[-1] * _SEED % (2 * _RANGE + 1))
        # The value of the polynomial whose coefficients are the bytes, the last one of degree 0.
        total: int = sum(map(mul, reversed(body), self._powers))
        return total % (2 * _RANGE + 1) - _RANGE

    def hash_text(self, text: str) -> str:
        """HMAC-SHA256, hexadecimal."""
        made = self._hash.copy()
        made.update(text.encode("utf-8", "surrogatepass"))
        return made.hexdigest()

    def _hash_value(self, value: Any, work: Work) -> Any:
        if value == "":
            return value
        work.flags |= HASHED
        return self.hash_text(value if type(value) is str else str(value))

    def _hash_reference(self, value: Any, work: Work) -> Any:
        if type(value) is not str or not value:
            return None
        work.flags |= HASHED
        if value[0] == "#":
            return "#" + self.hash_text(value[1:])
        for form in self._references:
            found = form.fullmatch(value)
            if found is not None:
                return found[1] + self.hash_text(found[2]) + (found[3] or "")
        return self.hash_text(value)

    def _encrypt(self, value: Any, work: Work) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        if value == "":
            return value
        work.flags |= ENCRYPTED
        body = (value if type(value) is str else str(value)).encode("utf-8", "surrogatepass")
        left = 16 - len(body) % 16
        vector = self._entropy(16)
        encryptor = Cipher(algorithms.AES(self._encrypt_key), modes.CBC(vector)).encryptor()
        sealed = encryptor.update(body + bytes([left]) * left) + encryptor.finalize()
        return base64.b64encode(vector + sealed).decode()

    def _perturber(self, rule: Rule, kind: str) -> Leaf:
        places = 0 if kind in WHOLE else rule.places

        def perturb(value: Any, work: Work) -> Any:
            if type(value) not in (int, float):
                return None
            draw = int.from_bytes(self._entropy(8), "big") / 2.0**64 - 0.5
            noised = round(value + draw * (value * rule.span if rule.proportional else rule.span), places)
            work.flags |= PERTURBED
            if kind == "positiveInt":
                noised = max(noised, 1)
            elif kind == "unsignedInt":
                noised = max(noised, 0)
            return noised if places else int(noised)

        return perturb


def _low_age(value: Any, work: Work) -> Any:
    work.flags |= REDACTED
    return value if type(value) in (int, float) and value <= _OLDEST else None


def _midnight(found: re.Match[str]) -> str:
    return _DIGIT.sub("0", found[0])


def _substituter(replacement: Any) -> Leaf:
    def substitute(value: Any, work: Work) -> Any:
        del value
        work.flags |= SUBSTITUTED
        return replacement

    return substitute


def _generaliser(rule: Rule, kind: str) -> Leaf:
    def generalise(value: Any, work: Work) -> Any:
        for holds, becomes in rule.cases:
            if predicate(holds, (value, kind)):
                work.flags |= GENERALIZED
                return _scalar(becomes, (value, kind))
        work.flags |= GENERALIZED
        return value if rule.others == "keep" else None

    return generalise


def _scalar(run: Run, node: tuple[Any, str]) -> Any:
    found = run([node])
    if len(found) > 1:
        raise Failed("A case gives more than one value.")
    return found[0][0] if found else None
