"""MSH-1 and MSH-2: the characters that a message is split by, odd forms included (HL7 v2.8.2 §2.5.4, §2.14.9.2)."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from xinglin.records.hl7v2.errors import BadMessage

# A character that no decoded message contains: what is not declared splits nothing.
NEVER = "\x00"
_MOST = 5


class Separators(msgspec.Struct, frozen=True):
    """One character each; ``NEVER`` where the sender declares none. ``declared`` is MSH-2 as it was sent.

    ``charset``: the codec by which the message was read, in which escaped bytes are read too.
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"
    truncation: str = NEVER
    declared: str = "^~\\&"
    flags: tuple[str, ...] = ()
    charset: str = "utf-8"


DEFAULT = Separators()


@lru_cache(maxsize=256)
def separators(field: str, declared: str, charset: str = "utf-8") -> Separators:
    r"""What MSH-1 and MSH-2 declare.

    Two to five characters are as the standard says; one leaves the repetition out. Without a declared escape
    character the backslash is taken (only known sequences are ever replaced); without a declared sub-component
    character nothing is split by one. Nothing declared means ``^~\&``. ``^~\\&`` is an escape that some layer doubled.

    Raises ``BadMessage`` (``hl7v2.separators``) where two are the same or one is a letter, digit, blank or control
    character.

    >>> separators("|", "^~\\&#").truncation, separators("|", "^~").sub == NEVER
    ('#', True)
    """
    flags: list[str] = []
    chars = declared
    if not chars:
        flags.append("hl7v2.separators_missing")
        chars = DEFAULT.declared
    elif len(chars) in (5, 6) and chars[2] == chars[3]:
        flags.append("hl7v2.escape_doubled")
        chars = chars[:3] + chars[4:]
    elif len(chars) < len(DEFAULT.declared):
        flags.append("hl7v2.separators_few")
    used = field + chars
    if len(chars) > _MOST or len(set(used)) < len(used) or not all(_usable(char) for char in used):
        raise BadMessage("hl7v2.separators", "MSH-2")
    few = DEFAULT.escape if DEFAULT.escape not in used else NEVER
    return Separators(
        field=field,
        component=chars[0],
        repetition=chars[1] if len(chars) > 1 else NEVER,
        escape=chars[2] if len(chars) > 2 else few,
        sub=chars[3] if len(chars) > 3 else NEVER,
        truncation=chars[4] if len(chars) > 4 else NEVER,
        declared=declared,
        flags=tuple(flags),
        charset=charset,
    )


def _usable(char: str) -> bool:
    return " " < char < "\x7f" and not char.isalnum() and char != '"'
