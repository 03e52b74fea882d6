"""Connector: the Dataspace Protocol 2025-1 spoken and understood, as provider and as consumer.

*Routes* of both roles, the *desk* that moves negotiations and transfers by their state tables, *sending* with
retries, and *auto-pilot* rules that answer for a hospital inside what it agreed to beforehand.
"""

from __future__ import annotations
