"""Code to copy: what others wrote stands in it as a literal, so that whoever runs it runs our words alone."""

from __future__ import annotations

import shlex


def in_python(template: str, *values: object) -> str:
    """Python with each ``{}`` of a template of ours as a literal of its value (texts, and tuples, lists of texts)."""
    return template.format(*(repr(one) for one in values))


def in_shell(template: str, *values: str) -> str:
    """A command with each ``{}`` of a template of ours as one quoted word.

    Empty where a value would be read as an option, or holds signs that a terminal acts on.
    """
    if any(one.startswith("-") or not one.isprintable() for one in values):
        return ""
    return template.format(*(shlex.quote(one) for one in values))
