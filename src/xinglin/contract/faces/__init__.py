"""Faces: one agreement as others read it, each naming the agreement's one digest and leading back to it.

A Dataspace Protocol *Agreement* (``dsp``), a 数字合约 (``national``, its id in ``national_id``, its calls in
``national_calls``, its words in ``national_words``), and an EHDS data *permit* (``permit``, with its ``clocks``). A
face says what its own vocabulary can say; what it cannot is in the agreement that it carries (``carried``), and what
was lost on the way into its vocabulary is named.
"""

from __future__ import annotations
