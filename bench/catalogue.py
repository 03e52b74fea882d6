"""Catalogue: pages of a search over 100,000 data sets, in two languages, with facets and what a study may use."""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Iterator

from bench._report import quantile, quick, say

from xinglin.catalogue.eligible import StudyFacts
from xinglin.catalogue.entry import CatalogueEntry, EntryVariable
from xinglin.catalogue.search import Search, search
from xinglin.catalogue.search_index import SearchIndex
from xinglin.catalogue.search_words import synonyms
from xinglin.terms.policy import Constraint, Permission, Policy

SEED = 20_260_101
HOSPITALS = 2_000
POLICIES = 300
VARIABLES = 8
ASKER = "did:web:asker.example"
REGIONS = ("上海", "浙江", "江苏", "广东", "Bavaria", "Skåne")


def policies(rng: random.Random) -> list[Policy]:
    """Templates as hospitals write them: purposes, a recipient class, a minimum."""
    purposes = ("health-research", "public-health", "education", "care-quality", "policy-making")
    return [
        Policy(
            permissions=(
                Permission(
                    "statistics",
                    (
                        Constraint("purpose", "isAnyOf", tuple(sorted(rng.sample(purposes, 2)))),
                        Constraint("recipientClass", "isAnyOf", (rng.choice(("university", "hospital", "company")),)),
                        Constraint("minimumCell", "gteq", str(rng.randrange(10, 110))),
                    ),
                ),
            )
        )
        for _ in range(POLICIES)
    ]


def entries(count: int) -> Iterator[tuple[int, CatalogueEntry]]:
    """Synthetic entries: eight variables each out of the medical words, one in fifty of them restricted."""
    rng = random.Random(SEED)
    concepts, templates = list(synonyms().concepts.values()), policies(rng)
    for number in range(1, count + 1):
        chosen = rng.sample(concepts, VARIABLES)
        hospital, year = rng.randrange(HOSPITALS), rng.randrange(2000, 2023)
        provider = f"did:web:h{hospital}.example"
        yield (
            number,
            CatalogueEntry(
                f"{provider}#d{number}",
                f"d{number}",
                provider,
                f"{rng.choice(chosen).en[0]} {rng.choice(chosen).zh[0]} {number}",
                institution=f"Hospital {hospital}",
                words=" ".join(one.en[0] for one in chosen),
                grade=rng.choice(("L2", "L2", "L2", "L3")),
                region=rng.choice(REGIONS),
                tables=("observation", "condition"),
                variables=tuple(
                    EntryVariable("observation", rng.choice(one.en).replace(" ", "_"), "number", words=one.en[0])
                    for one in chosen
                ),
                first_month=f"{year}-01",
                last_month=f"{year + 2}-06",
                persons=rng.randrange(100) * 10,
                records=100,
                policy=rng.choice(templates) if rng.random() < 0.9 else None,
                restricted=number % 50 == 0,
            ),
        )


def questions(rng: random.Random) -> list[Search]:
    """What people ask: words in both languages, facets, months, a study's facts."""
    concepts = list(synonyms().concepts.values())
    study = StudyFacts(values={"purpose": "public-health", "recipientClass": "university"})
    found = []
    for _ in range(10):
        one, two = rng.sample(concepts, 2)
        found += [
            Search(),
            Search(rng.choice(one.zh)),
            Search(f"{rng.choice(one.en)} {rng.choice(two.zh)}"),
            Search(rng.choice(one.zh), {"grade": ("L2",), "region": ("上海", "浙江")}),
            Search(rng.choice(two.en), from_month="2010-01", to_month="2012-12"),
            Search(rng.choice(one.en), study=study, answers=("yes", "open")),
        ]
    return found


def main() -> None:
    """Build the index, ask, tell."""
    small = quick(sys.argv[1:])
    count = 2_000 if small else 100_000
    made = list(entries(count))
    began, processor = time.perf_counter(), time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index = SearchIndex(made)
    built_s, built_cpu_s = time.perf_counter() - began, time.process_time() - processor
    waits: list[float] = []
    spent: list[float] = []
    judged: list[float] = []
    for asked in questions(random.Random(SEED)):
        began, processor = time.perf_counter(), time.process_time()
        search(index, asked, ASKER)
        waits.append(1e3 * (time.perf_counter() - began))
        spent.append(1e3 * (time.process_time() - processor))
        if asked.study is not None:
            judged.append(waits[-1])
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    words = f"{count:,} data sets, {len(waits)} questions in two languages, each with its facets"
    say("catalogue.page_p95", f"a page of the search, {words}", quantile(waits, 0.95), "ms")
    say("catalogue.page_p50", "the same, the middle one", quantile(waits, 0.5), "ms")
    say("catalogue.page_cpu_p95", "processor time of a page", quantile(spent, 0.95), "ms")
    comment = f"{POLICIES} different policies; each is judged once for a study"
    say("catalogue.eligible_p95", "a page of what a study may use", quantile(judged, 0.95), "ms", comment=comment)
    say("catalogue.index_built", "the index, made at the hub's start", built_cpu_s, "s of processor time",
        comment=f"{built_s:.1f} s by the clock")  # fmt: skip
    say("catalogue.index_memory", "the index's memory beside the entries'", memory, "MiB")


if __name__ == "__main__":
    main()
