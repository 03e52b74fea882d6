"""Names of persons (PS3.5 6.2.1): groups of letters, of ideographs and of sounds, each in five components."""

from __future__ import annotations

import re

import msgspec

_IDEOGRAPHS = re.compile(r"[\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")


class Name(msgspec.Struct, frozen=True):
    """A name as it is said, and its two first components where they are told apart."""

    whole: str = ""
    family: str = ""
    given: str = ""


def person_name(text: str) -> Name:
    """The name in ideographs where there is one, else in letters.

    >>> person_name("Wang^XiaoDong=王^小东"), person_name("Rüdiger^Äneas"), person_name("张三")
    (Name(whole='王小东', family='王', given='小东'), Name(whole='Äneas Rüdiger', family='Rüdiger', given='Äneas'), \
Name(whole='张三', family='', given=''))
    """
    groups = [[part.strip() for part in group.split("^")] for group in text.split("=")]
    said = [group for group in groups if any(group)]
    if not said:
        return Name()
    chosen = groups[1] if len(groups) > 1 and any(groups[1]) else said[0]
    family, given, middle, prefix, suffix = (chosen + [""] * 5)[:5]
    joined = "" if _IDEOGRAPHS.search("".join(chosen)) else " "
    order = (family, given, middle) if not joined else (prefix, given, middle, family, suffix)
    whole = joined.join(part for part in order if part)
    if len([part for part in chosen if part]) == 1:
        return Name(whole)
    return Name(whole, family, " ".join(part for part in (given, middle) if part))
