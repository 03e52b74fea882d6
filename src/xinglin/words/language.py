"""A language's words: texts, labels, reasons, errors, dates and numbers as a person reads them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant, system_clock
from xinglin.kernel.verdict import Reason
from xinglin.words.catalogue import Catalogue, chinese
from xinglin.words.glossary import label_of

LANGUAGES = ("en", "zh")
"""The languages of the product."""

NOTHING = "–"
"""What stands where there is no date and no number."""

_LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}
_TAGS = {"en": "en", "zh": "zh-CN"}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def N_(text: str) -> str:  # noqa: N802  (the name that every extractor of texts knows)
    """Mark a text for translation, and leave it as it is."""
    return text


class Told(msgspec.Struct, frozen=True):
    """An error in a person's language: what happened, why, what to do, its code, and every reason."""

    what: str
    why: str
    remedy: str
    code: str
    reasons: tuple[Reason, ...] = ()


class Words:
    """The words of one language; instants are told in ``zone``."""

    def __init__(self, language: str, zone: tzinfo = UTC) -> None:
        """``language`` is one of ``LANGUAGES``; any other raises ``ValueError``."""
        if language not in LANGUAGES:
            raise ValueError(f"there is no language {language!r}; there are {', '.join(LANGUAGES)}")
        self.language = language
        self.tag = _TAGS[language]
        self.zone = zone
        self._locale = _LOCALES[language]

    @staticmethod
    def of(language: str, zone: str = "UTC") -> Words:
        """The words of a language, kept for the next call; an unknown language or zone raises ``ValueError``."""
        return _kept(language, zone)

    @property
    def _catalogue(self) -> Catalogue | None:
        return chinese() if self.language == "zh" else None

    def text(self, message: str, **values: Any) -> str:
        """A text with its values, ``%(name)s`` by name; in English where the catalogues have no Chinese."""
        translated = self.gettext(message)
        if not values:
            return translated
        try:
            return translated % values
        except (KeyError, ValueError, TypeError):
            return message % values

    def gettext(self, message: str) -> str:
        """The translation alone, its placeholders unfilled; for templates."""
        catalogue = self._catalogue
        return (catalogue.text(message) if catalogue else "") or message

    def ngettext(self, one: str, many: str, count: int) -> str:
        """As ``gettext`` with a plural; Chinese has one form, kept under the plural text."""
        if self.language == "en":
            return one if count == 1 else many
        return self.gettext(many)

    def said(self, context: str, key: str) -> str:
        """The Chinese that a catalogue holds for a key in a context; empty where there is none, and in English."""
        catalogue = self._catalogue
        return catalogue.said(context, key) if catalogue else ""

    def said_of(self, context: str, code: str) -> str:
        """As ``said`` of a code, or of the family that it belongs to: ``terms.requires_*``; empty where neither is."""
        return self.said(context, self._known_code(context, code))

    def term(self, key: str) -> str:
        """The glossary's label of a key such as ``state.active``; an unknown key's last part with spaces."""
        return label_of(key, self.language) or re.sub(r"[_-]+", " ", key.rsplit(".", 1)[-1])

    def reason(self, code: str, words: str) -> str:
        """A reason's sentence: the code's Chinese, then the English in brackets where it says more."""
        return self._coded("reason", code, words)

    def remedy(self, code: str, remedy: str) -> str:
        """What would have to change: the Chinese of the text itself, else the code's and the English in brackets."""
        if not remedy:
            return ""
        return self.said("remedy", remedy) or self._coded("remedy", code, remedy)

    def error(self, error: XinglinError) -> Told:
        """A typed error in this language, with every reason that it carries."""
        reasons = tuple(self._reasons(getattr(error, "reasons", ())))
        if self.language == "en":
            return Told(error.what, error.why, error.remedy, error.code, reasons)
        code = self._code(error)
        said = f"{error.what} {error.why}".strip()
        what = self.said_of("reason", code)
        if reasons and what:
            return Told(what, "", self.remedy(code, error.remedy), error.code, reasons)
        return Told(self.reason(code, said), "", self.remedy(code, error.remedy), error.code, reasons)

    def date(self, instant: Instant | None, *, zone: str = "") -> str:
        """The day of an instant (ms), in ``zone`` where it names one: 22 Nov 2026, 2026年11月22日."""
        if instant is None:
            return NOTHING
        from babel.dates import format_date

        return format_date(self._moment(instant, zone), format="medium", locale=self._locale)

    def instant(self, instant: Instant | None, *, seconds: bool = False, zone: str = "") -> str:
        """Day, time and zone of an instant (ms): 22 Nov 2026, 20:51 UTC."""
        if instant is None:
            return NOTHING
        moment = self._moment(instant, zone)
        clock = moment.strftime("%H:%M:%S" if seconds else "%H:%M")
        return f"{self.date(instant, zone=zone)}{', ' if self.language == 'en' else ' '}{clock} {_zone_name(moment)}"

    def ago(self, instant: Instant | None, now: Instant | None = None) -> str:
        """How long ago an instant (ms) was, or how far ahead it is: 3 hours ago, 2天后."""
        if instant is None:
            return NOTHING
        from babel.dates import format_timedelta

        until_s = round((instant - (system_clock() if now is None else now)) / 1000)
        return format_timedelta(until_s, threshold=2, add_direction=True, locale=self._locale)

    def number(self, value: float | None) -> str:
        """A number with its thousands set apart; of a fraction three decimals."""
        if value is None:
            return NOTHING
        from babel.numbers import format_decimal

        return format_decimal(value, format="#,##0.###", locale=self._locale)

    def percent(self, share: float | None) -> str:
        """A share between 0 and 1 in per cent, one decimal: 12.5%."""
        if share is None:
            return NOTHING
        from babel.numbers import format_percent

        return format_percent(share, format="#,##0.#%", locale=self._locale)

    def bytes(self, size_bytes: int | None) -> str:
        """A size in bytes, with decimal units: 1.2 MB."""
        if size_bytes is None:
            return NOTHING
        size, unit = float(size_bytes), 0
        while abs(size) >= 1000 and unit < len(_UNITS) - 1:
            size, unit = size / 1000, unit + 1
        return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {_UNITS[unit]}"

    def _coded(self, context: str, code: str, words: str) -> str:
        catalogue = self._catalogue
        known = self._known_code(context, code)
        told = catalogue.said(context, known) if catalogue else ""
        if not told or catalogue is None:
            return words
        if catalogue.is_whole(context, known) or not words:
            return told
        return f"{told}（{words}）"

    def _known_code(self, context: str, code: str) -> str:
        if self.said(context, code):
            return code
        cuts = [at for at, letter in enumerate(code) if letter in "._"]
        return next((one for at in reversed(cuts) if self.said(context, one := f"{code[: at + 1]}*")), code)

    def _code(self, error: XinglinError) -> str:
        # One code for several cases: the case's own word says more than the code they share.
        case = getattr(error, "reason", "")
        for code in (case, f"{error.code}.{case}"):
            if isinstance(case, str) and case and self.said("reason", code):
                return code
        return error.code

    def _reasons(self, reasons: Iterable[Any]) -> Iterable[Reason]:
        for one in reasons:
            if isinstance(one, Reason):
                yield Reason(one.code, self.reason(one.code, one.words), self.remedy(one.code, one.remedy))

    def _moment(self, instant: Instant, zone: str) -> datetime:
        return datetime.fromtimestamp(instant / 1000, _zone(zone) if zone else self.zone)


@functools.cache
def _kept(language: str, zone: str) -> Words:
    return Words(language, _zone(zone))


@functools.cache
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def _zone_name(moment: datetime) -> str:
    offset = moment.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    if minutes == 0:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")
