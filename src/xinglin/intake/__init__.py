"""Intake: the one way in. keep, read, map, match, check, commit, log; in that order, once.

An *object* is what a source sent, kept as received under its SHA-256. A *batch* gathers objects whose rows
are committed together; it has a number, and a row knows its batch. The *ledger* remembers what became of
each object and record: accepted, quarantined or rejected, which add up to received.
"""

from __future__ import annotations
