"""The node's intake: what is connected, the process that listens and pulls, and how a source gets connected."""

from __future__ import annotations
