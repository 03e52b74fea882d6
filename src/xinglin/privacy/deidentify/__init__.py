"""De-identification by the reader's rights: profiles of allowed fields, compiled once, applied at the moment of use."""

from __future__ import annotations
