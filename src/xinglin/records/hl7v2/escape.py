r"""Escape sequences of text (HL7 v2.8.2 §2.7): ``\F\``, ``\Xdd..\``, ``\.br\``, ``\C..\`` and their kin.

One pass, linear in the text. What is no known sequence stays as it stands: ``C:\temp\x`` is a path, not an error.
"""

from __future__ import annotations

import re

from xinglin.records.hl7v2.separators import NEVER, Separators

MOST_SPACES = 1000
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_COUNT = re.compile(r"\.(sp|sk)\s*\+?([0-9]{0,4})")
_SILENT = re.compile(r"\.(?:in|ti)\s*[+-]?[0-9]{0,4}|\.fi|\.nf|H|N")
_SWITCH = re.compile(r"C([0-9A-Fa-f]{4})|M([0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?)")
# ISO 2022 sets that are designated to the right half, by their final byte (ISO-IR registrations 100 to 148).
_RIGHT = {"41": "iso8859_1", "42": "iso8859_2", "43": "iso8859_3", "44": "iso8859_4", "46": "iso8859_7"}
_RIGHT |= {"47": "iso8859_6", "48": "iso8859_8", "4C": "iso8859_5", "4D": "iso8859_9", "54": "iso8859_11"}
_ISO_2022 = ("iso2022_jp_ext", "iso2022_jp_2")


def unescape(text: str, separators: Separators) -> str:
    r"""The text with its escape sequences replaced.

    ``\H\``, ``\N\``, ``\.in\``, ``\.ti\``, ``\.fi\`` and ``\.nf\`` are about looks and vanish; ``\.br\``, ``\.ce\`` and
    ``\.sp3\`` are line breaks. Local ``\Z..\``, unknown and unclosed sequences stay.

    >>> unescape(r"a\T\b \X48C3A9\ \.br\C:\temp\x", Separators())
    'a&b Hé \nC:\\temp\\x'
    """
    mark = separators.escape
    if mark not in text:
        return text
    parts = text.split(mark)
    out = [parts[0]]
    last = len(parts) - 1
    at = 1
    while at <= last:
        sequence = parts[at]
        meant = None if at == last else _meaning(sequence, separators)
        if meant is not None:
            out.append(meant)
            out.append(parts[at + 1])
            at += 2
        elif at < last and (switch := _SWITCH.fullmatch(sequence)):
            out.append(_switched(switch, parts[at + 1], mark + sequence + mark, separators.charset))
            at += 2
        else:
            out.append(mark + sequence)
            at += 1
    return "".join(out)


def _meaning(sequence: str, separators: Separators) -> str | None:
    if len(sequence) == 1:
        return _one_letter(sequence, separators)
    if sequence[:1] in ("X", "x"):
        return _hexadecimal(sequence[1:], separators.charset)
    if sequence[:1] != ".":
        return None
    if sequence in (".br", ".ce"):
        return "\n"
    if counted := _COUNT.fullmatch(sequence):
        return ("\n" if counted[1] == "sp" else " ") * min(int(counted[2] or 1), MOST_SPACES)
    return "" if _SILENT.fullmatch(sequence) else None


def _one_letter(letter: str, separators: Separators) -> str | None:
    if letter in "HN":
        return ""
    if letter == "P":
        return separators.truncation if separators.truncation != NEVER else "#"
    position = "FSTRE".find(letter)
    if position < 0:
        return None
    known = (separators.field, separators.component, separators.sub, separators.repetition, separators.escape)
    # An undeclared separator can still be meant by its letter; then its usual character is.
    return known[position] if known[position] != NEVER else "|^&~\\"[position]


def _hexadecimal(digits: str, charset: str) -> str | None:
    if not _HEX.fullmatch(digits):
        return None
    body = bytes.fromhex(digits)
    try:
        text = body.decode(charset)
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    return text.replace("\x00", "\ufffd")


def _switched(switch: re.Match[str], text: str, as_sent: str, charset: str) -> str:
    """The text behind a change of character set (ISO 2022 escape); as it was sent where the set is not known."""
    codes = bytes.fromhex(switch[1] or switch[2])
    try:
        if codes[:1] in (b"-", b".") and (codec := _RIGHT.get(codes[1:].hex().upper())):
            return text.encode(charset).decode(codec)
        body = b"\x1b" + codes + text.encode("ascii")
    except UnicodeError:
        return as_sent + text
    for codec in _ISO_2022:
        try:
            read = body.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\x1b" not in read:
            return read
    return as_sent + text
