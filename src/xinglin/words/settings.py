"""Which language the environment asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping

_ASKED = ("XINGLIN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def language_of(environ: Mapping[str, str] | None = None) -> str:
    """``zh`` where the first of XINGLIN_LANGUAGE, LC_ALL, LC_MESSAGES and LANG that is set names Chinese, else ``en``.

    >>> language_of({"LANG": "zh_CN.UTF-8"}), language_of({"XINGLIN_LANGUAGE": "en", "LANG": "zh_CN.UTF-8"})
    ('zh', 'en')
    """
    words = os.environ if environ is None else environ
    asked = next((words[name] for name in _ASKED if words.get(name)), "")
    return "zh" if asked.lower().startswith("zh") else "en"
