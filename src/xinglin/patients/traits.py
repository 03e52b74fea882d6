"""From the columns of a record to what it says of a person."""

from __future__ import annotations

import unicodedata

from xinglin.catalogue.canonical import TAKEN_BACK
from xinglin.kernel.instants import Instant
from xinglin.patients.contact import address_of, phone_of
from xinglin.patients.folding import PLACES, REPLACED_BY, State, Value
from xinglin.patients.identity import parse_id
from xinglin.patients.model import Traits
from xinglin.patients.names import name_of
from xinglin.patients.placeholders import is_placeholder_number

_SEXES = ("male", "female")
_NATIONAL, _INSURANCE, _NUMBER, _ISSUER = (
    PLACES[one] for one in ("national_id", "insurance_id", "identifier", "identifier_system")
)
_NAME, _FAMILY, _GIVEN = (PLACES[one] for one in ("name", "family", "given"))
_PHONE, _ADDRESS, _POSTAL = (PLACES[one] for one in ("phone", "address", "postal_code"))
_BIRTH, _YEAR, _SEX, _MULTIPLE = (PLACES[one] for one in ("birth_date", "birth_year", "sex", "multiple_birth"))
_STATUS = PLACES["status"]


def traits_of(key: str, since: Instant, state: State) -> Traits:
    """What the record of this key says."""
    values = state.values
    merged = _text(values[REPLACED_BY])
    if values[_STATUS] in TAKEN_BACK:
        return Traits(key, since, held=False)
    id_ = parse_id(_text(values[_NATIONAL]))
    birth = _text(values[_BIRTH]) or (str(values[_YEAR]) if values[_YEAR] else "")
    sex = _text(values[_SEX])
    sex = sex if sex in _SEXES else ""
    doubts: tuple[str, ...] = ()
    if id_ is not None and id_.checked:
        if births_differ(birth, id_.birth):
            doubts += ("birth_date",)
        if sex and id_.sex and sex != id_.sex:
            doubts += ("sex",)
        birth = id_.birth if len(birth) < len(id_.birth) and not doubts else birth
        sex = sex or id_.sex
    multiple = values[_MULTIPLE]
    return Traits(
        key,
        since,
        id=id_,
        insurance=number_of(_text(values[_INSURANCE])),
        number=_issued(_text(values[_ISSUER]), _text(values[_NUMBER])),
        name=name_of(_text(values[_NAME]), _text(values[_FAMILY]), _text(values[_GIVEN])),
        birth=birth,
        sex=sex,
        phone=phone_of(_text(values[_PHONE])),
        address=address_of(_text(values[_ADDRESS])),
        postal=number_of(_text(values[_POSTAL])),
        multiple=multiple if isinstance(multiple, int) else 0,
        doubts=doubts,
        merged=merged if merged != key else "",
        merged_at=state.told_at(REPLACED_BY) if merged else 0,
        merged_heard=state.stamp(REPLACED_BY)[1] if merged else 0,
        masters=tuple(sorted(state.masters.items())),
    )


def births_differ(one: str, other: str) -> bool:
    """Whether two birth dates cannot be one, as far as both are known.

    >>> births_differ("1980-01", "1980-01-05"), births_differ("1980", "1981-01-01"), births_differ("", "1980")
    (False, True, False)
    """
    shared = min(len(one), len(other))
    return one[:shared] != other[:shared]


def number_of(text: str) -> str:
    """A number's letters and digits; "" for a placeholder.

    >>> number_of(" ab-12 34"), number_of("0000 0000")
    ('AB1234', '')
    """
    if not text:
        return ""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())
    return "" if is_placeholder_number(plain) else plain


def _issued(issuer: str, number: str) -> str:
    """The number with its issuer, as they are written: ``Patient/i-…`` keys are digests of them."""
    if not issuer or not number or not number.strip("0 -") or (len(set(number)) == 1 and len(number) > 1):
        return ""
    return f"{issuer}|{number}"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""
