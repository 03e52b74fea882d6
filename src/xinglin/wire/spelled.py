"""Ids as messages spell them: a message whose id is spelled otherwise is malformed where it is read.

What is named in a list goes into addresses and commands, before anything about it was verified.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

_NAME = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
Name = Annotated[str, msgspec.Meta(pattern=rf"\A{_NAME}\Z")]
"""A plain name, as ``terms.request.is_name`` has it."""
NameOrNone = Annotated[str, msgspec.Meta(pattern=rf"\A(?:{_NAME})?\Z")]
"""A plain name, or empty."""
DigestOrNone = Annotated[str, msgspec.Meta(pattern=r"\A(?:sha256:[0-9a-f]{64})?\Z")]
"""A digest, as ``terms.request.is_digest`` has it, or empty."""
