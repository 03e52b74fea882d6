"""What wrong tries cost: after so many of one name, or from one address, nobody is heard for a while.

A try is written down before it is judged and forgiven when it was right, so that many at once gain nothing, and on the
disk, so that a restart forgets nothing. Names that do not exist are treated alike.
"""

from __future__ import annotations

import ipaddress

from xinglin.console.people.seal import Seal
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.stores.console_people import ConsolePeople

OF_NAME = Limit("wrong tries of one name in 15 minutes", 5, "tries")
FROM_ADDRESS = Limit("wrong tries from one address in 15 minutes", 20, "tries")
WINDOW_S = 15 * 60
_NETWORK_BITS = 64


class Attempts:
    """Counts tries. Names and addresses are kept as keyed digests: people type passwords where names belong."""

    def __init__(self, store: ConsolePeople, seal: Seal, clock: Clock) -> None:
        self._store, self._seal, self._clock = store, seal, clock

    def take(self, name: str, address: str) -> int:
        """0: the try may be judged, and counts until ``forgive``; else for how many seconds none is."""
        who, where = self._digests(name, address)
        now = self._clock()
        after = now - WINDOW_S * 1000
        with self._store.alone() as work:
            work.forget_tries(after)
            full = [
                tries[-1]
                for limit, tries in (
                    (OF_NAME, work.tries_of(who, after, OF_NAME.value)),
                    (FROM_ADDRESS, work.tries_from(where, after, FROM_ADDRESS.value)),
                )
                if len(tries) >= limit.value
            ]
            if not full:
                work.tried(who, where, now)
                return 0
        return min(WINDOW_S, max(1, -(-(max(full) - after) // 1000)))

    def forgive(self, name: str, address: str) -> None:
        """A sign-in is done: this name's tries from this address count no more."""
        who, where = self._digests(name, address)
        self._store.do(lambda work: work.forgive(who, where))

    def give_back(self, name: str, address: str) -> None:
        """The last try was right, but is not the whole of a sign-in: it alone counts no more."""
        who, where = self._digests(name, address)
        self._store.do(lambda work: work.give_back(who, where))

    def _digests(self, name: str, address: str) -> tuple[bytes, bytes]:
        return self._seal.digest("tried", name), self._seal.digest("from", _place(address))


def _place(address: str) -> str:
    """Where somebody comes from: of IPv6 the network, because one browser has as many addresses there as it likes."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(given, ipaddress.IPv6Address):
        mapped = given.ipv4_mapped
        return str(mapped) if mapped is not None else str(ipaddress.ip_network((given, _NETWORK_BITS), strict=False))
    return address
