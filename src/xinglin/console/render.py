"""Templates: one Jinja environment a language, everything escaped, undefined names are errors."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from xinglin.console.addresses import segment
from xinglin.console.assets import Assets
from xinglin.console.frame import Nav, Page, place_of
from xinglin.console.visit import Visit
from xinglin.words import LANGUAGES, Words

if TYPE_CHECKING:
    from xinglin.kernel.verdict import Reason

TEMPLATES = Path(__file__).parent / "templates"
DAY_MS = 86_400_000
_visit: contextvars.ContextVar[Visit] = contextvars.ContextVar("visit")
_count: contextvars.ContextVar[list[int]] = contextvars.ContextVar("count")


class Renderer:
    """Renders pages. For several threads."""

    def __init__(self, assets: Assets, nav: tuple[Nav, ...], zone: str) -> None:
        self._assets, self._nav = assets, nav
        self._made = {language: self._environment(Words.of(language, zone)) for language in LANGUAGES}

    def page(self, page: Page, visit: Visit) -> str:
        """The page whole, or its body alone where it is a fragment."""
        environment = self._made[visit.words.language]
        visit.nav = tuple(one for one in self._nav if visit.role in one.roles)
        at, counting = _visit.set(visit), _count.set([0])
        try:
            values = {**page.values, "page": page, "visit": visit, "words": visit.words}
            body = environment.get_template(page.template).render(values)
            if page.fragment:
                return body
            frame = environment.get_template("frame/bare.html" if page.bare else "frame/frame.html")
            return frame.render(
                {
                    "page": page,
                    "visit": visit,
                    "words": visit.words,
                    "body": Markup(body),  # noqa: S704 - rendered and escaped one line above
                    "nav": visit.nav,
                    "place": place_of(visit.nav, visit.path, page.crumbs[0].path if page.crumbs else ""),
                }
            )
        finally:
            _visit.reset(at)
            _count.reset(counting)

    def _environment(self, words: Words) -> Environment:
        made = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        made.install_gettext_callables(  # type: ignore[attr-defined]
            words.text, lambda one, many, n: words.text(one if n == 1 else many), newstyle=True
        )
        made.filters["segment"] = segment
        made.globals.update(
            term=words.term,
            translated=words.text,
            date=words.date,
            instant=words.instant,
            ago=lambda at: words.ago(at, _visit.get().now),
            number=words.number,
            percent=words.percent,
            size=words.bytes,
            reason=_reason(words),
            words=words,
            asset=self._assets.url,
            integrity=self._assets.integrity,
            csrf=_csrf,
            fresh_id=_fresh_id,
            days_since=lambda at: max(0, (_visit.get().now - at) // DAY_MS),
            days_until=lambda at: -((_visit.get().now - at) // DAY_MS),
            colour_of=_colour_of,
            path_of=_path_of,
        )
        return made


def _reason(words: Words) -> Any:
    def told(reason: Reason) -> str:
        return words.reason(reason.code, reason.words)

    return told


def _csrf() -> Markup:
    return Markup('<input type="hidden" name="csrf" value="{}">').format(_visit.get().csrf)


def _fresh_id(word: str = "id") -> str:
    """An id that is used once on a page."""
    count = _count.get()
    count[0] += 1
    return f"{word}-{count[0]}"


def _path_of(link: str, row: Mapping[str, Any]) -> str:
    """A row's path: ``{key}`` gives way to its value, quoted."""
    return _KEY.sub(lambda found: segment(row.get(found.group(1), "")), link)


def _colour_of(state: str) -> str:
    """How a state is coloured: a glossary key's last part."""
    word = state.rpartition(".")[2]
    return _COLOURS.get(word, "plain")


_KEY = re.compile(r"\{(\w+)\}")
_COLOURS = {
    **dict.fromkeys(
        ("active", "approved", "done", "released", "live", "ok", "yes", "open", "positive", "delivered", "finished",
         "signed", "allowed", "in-force", "good", "connected", "admitted", "accepted", "true", "taken",
         "counted"), "good"
    ),
    **dict.fromkeys(
        ("offered", "waiting", "queued", "checking", "running", "draft", "submitted", "reviewing", "ask", "late",
         "warn", "suspended", "held", "asked", "needs-votes", "unknown", "deferred", "working", "dropped"), "warn"
    ),
    **dict.fromkeys(
        ("refused", "denied", "failed", "ended", "revoked", "lost", "no", "negative", "rejected", "terminated",
         "cancelled", "bad", "compromised", "breach", "overdue", "expired", "withdrawn", "withheld", "recalled",
         "left-out"), "bad"
    ),
}  # fmt: skip
