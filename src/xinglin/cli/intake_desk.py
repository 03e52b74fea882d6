"""How verbs reach an intake: at its desk while its process runs, in this process while nobody has the folder open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.node.intake.wiring import OpenIntake

LONG_S = 24 * 3600.0
"""A check or an erasure may take as long as there are objects."""


def asked(folder: Path, verb: str, timeout_s: float = 600.0, **arguments: str) -> Any:
    """What the running intake answers; raises ``NotRunning`` or ``Refused``."""
    from xinglin.node.intake.starting import intake_answers

    return intake_answers(folder, verb, timeout_s, **arguments)


def runs(folder: Path) -> bool:
    """Whether an intake process answers in ``folder``."""
    from xinglin.stores.desk import NotRunning

    try:
        asked(folder, "status")
    except (NotRunning, OSError):
        return False
    return True


def there_or_here(
    folder: Path, verb: str, here: Callable[[OpenIntake], Any], secret: Callable[[], str], **arguments: str
) -> Any:
    """Ask the running intake, or open it here with the passphrase; nothing runs beside what is done here."""
    if runs(folder):
        return asked(folder, verb, LONG_S, **arguments)
    from xinglin.node.intake.wiring import open_intake
    from xinglin.node.joining import open_node_keys
    from xinglin.node.settings import node_settings

    opened = open_intake(folder, node_settings(folder).settings, open_node_keys(folder, secret()))
    try:
        return here(opened)
    finally:
        opened.close()
