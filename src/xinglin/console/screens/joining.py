"""Joining as a wizard: seven checks, each with its command and what it finds now."""

from __future__ import annotations

from xinglin.console.frame import Page, Same, Step, live, screen
from xinglin.console.visit import Visit

ROLE = ("hospital",)
CSS = ("screens/hospital.css",)


@screen("/hospital/joining", roles=ROLE)
def joining(visit: Visit) -> Page:
    """The seven checks, made now."""
    _ = visit.words.text
    return Page(
        "hospital/joining.html",
        title=_("Joining the space"),
        values=_values(visit),
        crumbs=(Step(_("Hospital"), "/hospital"),),
        same=Same(cli="xinglin doctor\nxinglin node status"),
        css=CSS,
    )


@live("/hospital/joining/live", roles=ROLE, every_s=3.0)
def follow(visit: Visit) -> Page:
    """The checks, made again every few seconds until all are well."""
    values = _values(visit)
    return Page("hospital/checks.html", values=values, fragment=True, final=values["done"] == values["all"])


def _values(visit: Visit) -> dict[str, object]:
    checks = visit.calls.joining.checks()
    return {"checks": checks, "done": sum(one.look == "good" for one in checks), "all": len(checks)}


ROUTES = (joining, follow)
