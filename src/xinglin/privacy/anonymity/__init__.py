"""k-anonymity, l-diversity and t-closeness of tables: partitions, hierarchies, risks and losses."""

from __future__ import annotations
