"""100,000 data sets: pages stay quick, hold together, and tell nobody of what they may not see."""

from __future__ import annotations

import time

import msgspec
import pytest
from bench.catalogue import ASKER, entries, questions
from tests.slowness import slowness

from xinglin.catalogue.search import Search, search
from xinglin.catalogue.search_index import SearchIndex

pytestmark = pytest.mark.slow
COUNT = 100_000
PAGE_CPU_S = 0.5


def test_pages_over_a_hundred_thousand_data_sets() -> None:
    import random

    slow, index = slowness(), SearchIndex(entries(COUNT))
    assert search(index, Search(), ASKER).total == COUNT - COUNT // 50
    for asked in questions(random.Random(3))[:12]:
        began = time.process_time()
        found = search(index, asked, ASKER)
        assert time.process_time() - began < PAGE_CPU_S * slow
        assert all(not hit.entry.restricted for hit in found.hits)
        if found.after:
            later = search(index, msgspec.structs.replace(asked, cursor=found.after), ASKER)
            assert not {one.entry.entry_id for one in found.hits} & {one.entry.entry_id for one in later.hits}
