"""De-identification of notes: generated Chinese and English ones read for identifiers, a core, without models."""

from __future__ import annotations

import json
import sys
import time

from tests.privacy.notes_generator import Note, notes

from xinglin.privacy.deidentify.text import find
from xinglin.privacy.deidentify.text.model import NOTHING


def rate(found: list[Note], *, with_record: bool, rounds: int) -> float:
    """Notes a second of processor time, in the best of the rounds; dictionaries are new in each."""
    from xinglin.privacy.deidentify.text.own import own_of

    best = 0.0
    for _ in range(rounds):
        own_of.cache_clear()
        start = time.process_time()
        for note in found:
            find(note.text, note.known if with_record else NOTHING)
        best = max(best, len(found) / (time.process_time() - start))
    return best


def main() -> int:
    """Print the figures."""
    quick = "--quick" in sys.argv
    count, rounds = (100, 1) if quick else (1500, 5)
    for language in ("chinese", "english"):
        found = notes(count, language, "held-out", seed=9)
        length = sum(len(note.text) for note in found) / count
        truth = sum(len(note.truth) for note in found) / count
        for with_record in (False, True):
            value = rate(found, with_record=with_record, rounds=rounds)
            how = "with a patient's own record each" if with_record else "without a record"
            row = {
                "name": f"notes.{language}{'_known' if with_record else ''}",
                "what": f"{language} notes of {length:.0f} characters and {truth:.1f} identifiers, {how}",
                "value": value,
                "unit": "/s",
                "promise": "" if with_record or quick else ">= 10000",
                "comment": f"{value * length / 1e6:.2f} million characters a second of a core",
            }
            print(json.dumps(row))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
