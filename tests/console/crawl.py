"""Every screen that somebody can reach: the navigation, and links from there, at most a few of each route."""

from __future__ import annotations

import html
import re
from collections import Counter, deque
from urllib.parse import urljoin, urlsplit

from tests.console.console_space import ConsoleSpace, Found

from xinglin.console.app import discovered
from xinglin.console.frame import Route

OF_EACH = 2
MOST = 150
NOT_LOOKED_AT = ("/sign-out", "/language/", "/assets/")
_LINK = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"')


def routes(kind: str = "screen") -> list[Route]:
    """Routes of one kind, the plainest templates first."""
    found = [route for route in discovered()[1] if route.kind == kind]
    return sorted(found, key=lambda route: (route.path.count("{"), route.path))


def template_of(path: str, kind: str = "screen") -> str:
    """The template of the route that a path belongs to; "" for none."""
    plain = urlsplit(path).path
    for route in routes(kind):
        if re.fullmatch(pattern_of(route.path), plain):
            return route.path
    return ""


def pattern_of(template: str) -> str:
    """A route's template as a regular expression of paths."""
    parts = re.split(r"(\{[^}]+\})", template)
    return "".join((r".+" if part.endswith(":path}") else r"[^/]+") if part[:1] == "{" else re.escape(part)
                   for part in parts)  # fmt: skip


def screens_of(space: ConsoleSpace, who: str, of_each: int = OF_EACH) -> tuple[Found, ...]:
    """Screens of one sample user ("" for nobody), found by following links as they stand in the pages."""
    role = space.sample(who).role if who else ""
    first = [one.path for one in discovered()[0] if role in one.roles] if who else ["/public", "/sign-in"]
    asked, waiting = set(first), deque(first)
    seen: Counter[str] = Counter()
    found: list[Found] = []
    with space.client(who, follow_redirects=False) as client:
        while waiting and len(found) < MOST:
            path = waiting.popleft()
            template = template_of(path)
            if not template or seen[template] >= of_each:
                continue
            answer = client.get(path)
            page = answer.headers.get("content-type", "").startswith("text/html")
            fine = answer.status_code < (400 if path in first else 500)
            assert fine, f"{who}: {path}: {answer.status_code}\n{plain_text(answer.text)}\n{space.records()}"
            if answer.status_code != 200 or not page:
                continue
            seen[template] += 1
            found.append(Found(path, template))
            for link in links(answer.text, path):
                if link not in asked:
                    asked.add(link)
                    waiting.append(link)
    return tuple(found)


def plain_text(text: str) -> str:
    """What a page's content says."""
    content = text.partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", content).split())[:1500]


def links(text: str, path: str) -> list[str]:
    """Links of a page to this site, without what signs out or only changes the language."""
    found = []
    for written in _LINK.findall(text):
        target = urljoin(path, html.unescape(written))
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or parts.path.startswith(NOT_LOOKED_AT) or "as=" in parts.query:
            continue
        found.append(parts.path + (f"?{parts.query}" if parts.query else ""))
    return list(dict.fromkeys(found))
