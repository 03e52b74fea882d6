"""FHIR anonymizer configurations that hospitals already have, read and applied as they are meant.

A *configuration* is a list of *rules*: a path and a method. Of the rules that match a node or one of its ancestors,
the first one decides. Methods: redact, keep, dateShift, cryptoHash, encrypt, substitute, perturb, generalize. Source:
the public documentation and tests of microsoft/Tools-for-Health-Data-Anonymization (FHIR).
"""

from __future__ import annotations
