"""The reader of tables: an object's bytes and its source's mapping give rows."""

from __future__ import annotations

from collections.abc import Iterator

from xinglin.records.model import Read, ReadContext
from xinglin.records.tabular.errors import NoMapping
from xinglin.records.tabular.evaluate import Evaluation
from xinglin.records.tabular.mapping import parse_mapping
from xinglin.records.tabular.rows import Chunk
from xinglin.records.tabular.sheets import ARCHIVES, MEDIA, open_sheets

UNNAMED_SHEET = "no table is for its sheet"


class TabularReader:
    """CSV, Excel, Parquet and lines of JSON, also in zip and gzip; ``context.mapping`` says what becomes of it."""

    media_types: tuple[str, ...] = (*MEDIA, *ARCHIVES)

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts in order. Raises ``Unreadable``, ``BadMapping`` or ``NoMapping``."""
        if not context.mapping:
            raise NoMapping("The source has no mapping.", remedy="Run 'xinglin map suggest' on a file of it.")
        mapping = parse_mapping(context.mapping)
        if not mapping.makes_rows:
            raise NoMapping(
                "The source's mapping says nothing of tables.", remedy="Run 'xinglin map suggest' on a file of it."
            )
        evaluation = Evaluation(mapping, context.zone)
        for name, chunks in open_sheets(body, mapping.source):
            wanted, checked = evaluation.takes(name), False
            for part in chunks:
                if not isinstance(part, Chunk):
                    yield part
                    continue
                if not wanted:
                    yield Read(received=part.size, ignored={UNNAMED_SHEET: part.size})
                    continue
                if not checked:
                    evaluation.check(name, part.names)
                    checked = True
                yield evaluation.read(part)
        yield from evaluation.rest()
