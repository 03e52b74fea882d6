"""The whole catalogue, or one entry of it, as DCAT 3 in JSON-LD, with what HealthDCAT-AP adds where it is known.

Not the whole HealthDCAT-AP profile: what it makes mandatory and only a holder knows is in ``dcat.health_dcat``, which a
hospital exports itself. Only what the asker may see is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from xinglin.catalogue.dcat import CONTEXT
from xinglin.catalogue.dcat_lists import DATA_THEMES
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.kernel.instants import to_text
from xinglin.terms.odrl import to_odrl

_CONTEXT = CONTEXT | {"odrl": "http://www.w3.org/ns/odrl/2/"}


def dcat_catalogue(entries: Iterable[CatalogueEntry], *, base: str, title: str) -> dict[str, Any]:
    """A ``dcat:Catalog`` with its data sets; ``base``: where the catalogue's own addresses begin."""
    described = [dcat_entry(entry, base=base) for entry in entries]
    catalogue = {
        "@id": f"{base.rstrip('/')}/catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _text(title),
        "dcat:dataset": [{"@id": one["@graph"][0]["@id"]} for one in described],
    }
    themes = [DATA_THEMES.concept("HEAL"), DATA_THEMES.scheme()] if described else []
    return {"@context": _CONTEXT, "@graph": [catalogue, *(n for one in described for n in one["@graph"]), *themes]}


def dcat_entry(entry: CatalogueEntry, *, base: str) -> dict[str, Any]:
    """One data set as ``dcat:Dataset`` with its offer (``odrl:hasPolicy``), coverage, variables and publisher."""
    uri = uri_of(entry, base)
    found: dict[str, Any] = {
        "@id": uri,
        "@type": "dcat:Dataset",
        "dct:identifier": entry.entry_id,
        "dct:title": _text(entry.title),
        "dct:description": _text(entry.words or entry.title),
        "dcat:theme": DATA_THEMES.ref("HEAL"),
        "dct:publisher": {"@id": entry.provider or entry.origin, "@type": "foaf:Agent",
                          "foaf:name": _text(entry.institution or entry.provider or entry.origin)},
    }  # fmt: skip
    if entry.keywords:
        found["dcat:keyword"] = [_text(word) for word in entry.keywords]
    if entry.seen:
        found["dct:modified"] = {"@value": to_text(entry.seen)[:10], "@type": "xsd:date"}
    if entry.region:
        found["dct:spatial"] = {"@id": uri + "#place", "@type": "dct:Location", "rdfs:label": _text(entry.region)}
    if entry.first_month:
        found["dct:temporal"] = {
            "@id": uri + "#period",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@value": entry.first_month, "@type": "xsd:gYearMonth"},
            "dcat:endDate": {"@value": entry.last_month, "@type": "xsd:gYearMonth"},
        }
    for name, count in (("numberOfRecords", entry.records), ("numberOfUniqueIndividuals", entry.persons)):
        if count:
            found[f"healthdcatap:{name}"] = {"@value": str(count), "@type": "xsd:nonNegativeInteger"}
    graph = [found]
    if entry.variables:
        found["healthdcatap:hasVariables"] = {"@id": uri + "#variables"}
        graph += _tables(entry, uri)
    if entry.policy is not None and (entry.policy.permissions or entry.policy.prohibitions):
        offer = to_odrl(entry.policy, "Offer", uri + "#offer", spelling="absolute")
        found["odrl:hasPolicy"] = {"@id": uri + "#offer"}
        graph.append(_policy_node(offer))
    return {"@context": _CONTEXT, "@graph": graph}


def uri_of(entry: CatalogueEntry, base: str) -> str:
    """An entry's own address below ``base``."""
    return f"{base.rstrip('/')}/datasets/{quote(entry.entry_id, safe='')}"


def _tables(entry: CatalogueEntry, uri: str) -> list[dict[str, Any]]:
    names = sorted({one.table for one in entry.variables})
    group = {
        "@id": uri + "#variables",
        "@type": "csvw:TableGroup",
        "csvw:table": [{"@id": f"{uri}#table-{quote(name, safe='')}"} for name in names],
    }
    tables = []
    for name in names:
        columns = [
            {
                "@id": f"{uri}#column-{quote(name, safe='')}-{quote(one.name, safe='')}",
                "@type": "csvw:Column",
                "csvw:name": one.name,
                "dct:description": _text(one.words or one.name),
            }
            for one in entry.variables
            if one.table == name
        ]
        tables.append(
            {
                "@id": f"{uri}#table-{quote(name, safe='')}",
                "@type": "csvw:Table",
                "dct:title": _text(name),
                "csvw:column": columns,
            }
        )
    return [group, *tables]


def _policy_node(offer: dict[str, Any]) -> dict[str, Any]:
    """The offer with ODRL's names in this document's prefixes."""
    return {"@context": {"@vocab": "http://www.w3.org/ns/odrl/2/", "xsd": CONTEXT["xsd"]}, **offer}


def _text(words: str) -> dict[str, str]:
    chinese = any("一" <= letter <= "鿿" for letter in words)
    return {"@value": words, "@language": "zh" if chinese else "en"}
