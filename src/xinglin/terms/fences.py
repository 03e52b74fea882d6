"""Fences (电子围栏): networks, places, hours, environments and passages between regions, with what each proves.

Within one kind any entry suffices; every kind that a fence names must hold. What is not known is outside. A fence is
tightened by another one beside it (``tighten``): whoever is inside both is inside, so that nothing is ever loosened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.law.facts import CATEGORIES
from xinglin.terms.places import Place, read_place
from xinglin.terms.policy import Constraint
from xinglin.terms.request import is_name
from xinglin.terms.values import Span, read_network
from xinglin.terms.vocabulary import ENVIRONMENTS, nearest
from xinglin.terms.windows import read_window
from xinglin.terms.writing import canonical_constraint

ENTRIES = Limit("entries of one kind in a fence", 256, "entries")
TIGHTENINGS = Limit("fences beside a fence", 16, "fences")

ATTESTED = "attested-enclave"
_OWN_REGIONS = ("71", "81", "82")


class Proof(msgspec.Struct, frozen=True):
    """What a kind of fence proves, and what it does not."""

    proves: str
    does_not: str
    proves_zh: str
    does_not_zh: str


PROOFS = {
    "network": Proof(
        "The connection came from this address.",
        "Who sits there, or where that is; behind a proxy, VPN or shared gateway an address proves little. An address "
        "that a proxy tells is that proxy's word, and is taken only from a proxy that the fence names.",
        "连接来自该地址。",
        "不能证明使用者身份和实际位置；经代理、VPN 或共享网关时证明力很弱；代理转述的地址仅在围栏列出该代理时采信。",
    ),
    "place": Proof(
        "Somebody answerable declared this place, or a credential names it.",
        "Where the screen is. A declared place is a promise, for which the declarer answers.",
        "有责任主体声明了该地点，或者凭证载明。",
        "不能证明屏幕实际所在；声明的地点是一项承诺，由声明者负责。",
    ),
    "hours": Proof(
        "This node's own clock was within the hours when it decided.",
        "When the result is looked at later.",
        "决定时本节点时钟处于开放时段。",
        "不能证明此后查看结果的时间。",
    ),
    "environment": Proof(
        "The node itself, or a workspace enrolled with it, carries the use out.",
        "What happens inside a machine that this node does not run. An attested enclave cannot be verified by this "
        "software yet: no hardware attestation is checked here, and so that it is one is never taken for true.",
        "由节点自身或者已登记的工作区执行。",
        "不能证明本节点未运行的机器内部行为；本软件目前无法验证硬件远程证明，因此不认可“可证明的机密计算环境”。",
    ),
    "passages": Proof(
        "The places that were declared lie in the regions of a list for every category of the data.",
        "That the places are true (see place), or that a law allows the passage: that is the law packs' question.",
        "就数据的每个类别，所声明的地点均在清单允许的区域之间。",
        "不能证明地点真实，也不能证明法律允许该流动（由法规包判断）。",
    ),
}
"""By kind of fence."""


class Passage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Data of ``category`` (``*``: of any) may go from within ``origin`` to within ``destination``."""

    category: str
    origin: str
    destination: str


class Fence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where, when and in what a use may happen; ``None`` or empty is no fence of that kind.

    ``proxies``: networks whose word on an address is taken. ``passages``: cross-region lists; where there are any
    (also an empty tuple), data leaves its province or country only by one of them. ``beside``: what tightens it.
    """

    name: str
    networks: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    passages: tuple[Passage, ...] | None = None
    beside: tuple[Fence, ...] = ()


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What the node knows of a use. ``address``: of the connection; ``forwarded``: what a proxy told.

    ``place``: declared, or named by a credential (``place_by``). ``origin``: where the data is. ``environment``: as
    the node knows it. ``categories``: of the data. What is not known is ``""`` (categories: ``None``).
    """

    at: Instant
    address: str = ""
    forwarded: str = ""
    place: str = ""
    place_by: str = "declared"
    origin: str = ""
    environment: str = ""
    categories: frozenset[str] | None = None


def check_fence(fence: Fence) -> Verdict:
    """Whether a fence may be written: every word known, every limit kept."""
    reasons = list(dict.fromkeys(_faults(fence)))
    return Denied(tuple(reasons)) if reasons else Allowed()


def inside(fence: Fence, at: Circumstances) -> Verdict:
    """Whether the circumstances lie inside, with every reason why not; ``Allowed`` names what was relied on.

    Conditions are ``fence:network``, ``fence:network-by-proxy``, ``fence:place-declared`` and so on: each is what
    the verdict rests on, and ``PROOFS`` says what that proves. A fence with an unknown word holds nobody inside.
    """
    checked = check_fence(fence)
    if isinstance(checked, Denied):
        return checked
    reasons: list[Reason] = []
    relied: set[str] = set()
    for one in (fence, *fence.beside):
        for found in (_network, _place, _hours, _environment, _passages):
            said = found(one, at)
            reasons += [said] if isinstance(said, Reason) else []
            relied |= {said} if isinstance(said, str) else set()
    if reasons:
        return Denied(tuple(sorted(set(reasons), key=lambda reason: (reason.code, reason.words))))
    return Allowed(tuple(f"fence:{word}" for word in sorted(relied)))


def tighten(fence: Fence, by: Fence) -> Fence:
    """The fence with another beside it: whoever is inside the result is inside both."""
    beside = tuple(msgspec.structs.replace(one, beside=()) for one in (by, *by.beside))
    return msgspec.structs.replace(fence, beside=tuple(dict.fromkeys((*fence.beside, *beside))))


def crossing(origin: str, destination: str) -> str:
    """``none``, ``province``, ``country``, or ``unknown`` where either is no place or too wide to tell.

    Hong Kong, Macao and Taiwan count as regions apart, whichever way they are written.

    >>> crossing("CN-310104", "CN-SH"), crossing("CN-SH", "CN-ZJ"), crossing("CN-SH", "CN-HK"), crossing("CN", "CN-SH")
    ('none', 'province', 'country', 'unknown')
    """
    start, end = read_place(origin), read_place(destination)
    if start is None or end is None or start.group or end.group:
        return "unknown"
    if _country(start) != _country(end):
        return "country"
    parts = start.path[1:2], end.path[1:2]
    if parts[0] and parts[1]:
        return "none" if parts[0] == parts[1] or _country(start) != "CN" else "province"
    return "none" if _country(start) != "CN" else "unknown"


def fence_constraints(fence: Fence) -> tuple[Constraint, ...]:
    """The same as constraints of a policy, for the one evaluator; proxies and passages are judged by ``inside``."""
    kinds = (
        ("network", "isPartOf", fence.networks),
        ("place", "isPartOf", fence.places),
        ("openingHours", "isAnyOf", fence.hours),
        ("environment", "isAnyOf", fence.environments),
    )
    found = [canonical_constraint(Constraint(name, operator, values)) for name, operator, values in kinds if values]
    return (*found, *(one for beside in fence.beside for one in fence_constraints(beside)))


def _network(fence: Fence, at: Circumstances) -> Reason | str | None:
    if not fence.networks:
        return None
    connection, told = read_network(at.address), read_network(at.forwarded)
    if connection is None:
        return _out("network", "The address of the connection is not known.", "Connect directly.")
    if _within(connection, fence.proxies):
        if told is None:
            return _out("network", "A proxy stands before the use and tells no address.", "Have the proxy tell it.")
        if _within(told, fence.networks):
            return "network-by-proxy"
        return _out("network", "The address that the proxy tells is outside.", "Use it from an agreed network.")
    if _within(connection, fence.networks):
        return "network"
    return _out("network", "The address of the connection is outside.", "Use it from an agreed network.")


def _within(span: Span, networks: tuple[str, ...]) -> bool:
    return any((other := read_network(text)) is not None and span.within(other) is True for text in networks)


def _place(fence: Fence, at: Circumstances) -> Reason | str | None:
    if not fence.places:
        return None
    place = read_place(at.place)
    if place is None:
        return _out("place", "The place is not known.", "Declare it, or present a credential that names it.")
    if at.place_by not in ("declared", "credential"):
        return _out("place", "It is not known who says the place.", "Declare it, or present a credential.")
    if any((other := read_place(text)) is not None and place.within(other) is True for text in fence.places):
        return f"place-by-{at.place_by}" if at.place_by == "credential" else "place-declared"
    words = f"The place is {place.spelled}; the fence holds {', '.join(fence.places)}."
    return _out("place", words, "Use it at an agreed place.")


def _hours(fence: Fence, at: Circumstances) -> Reason | str | None:
    if not fence.hours:
        return None
    windows = [window for text in fence.hours if (window := read_window(text)) is not None]
    if any(window.holds_at(at.at * 1000) for window in windows):
        return "hours"
    words = f"It is {to_text(at.at)}; open: {'; '.join(fence.hours)}."
    return _out("hours", words, "Use it within the hours.")


def _environment(fence: Fence, at: Circumstances) -> Reason | str | None:
    if not fence.environments:
        return None
    if at.environment not in ENVIRONMENTS:
        return _out("environment", "The environment is not known.", f"One of: {', '.join(fence.environments)}.")
    if at.environment not in fence.environments:
        words = f"The environment is {at.environment}; the fence holds {', '.join(fence.environments)}."
        return _out("environment", words, "Run it in one of them.")
    if at.environment == ATTESTED:
        words = "That the environment is an attested enclave cannot be verified here: no attestation is checked."
        return Reason("terms.fence_not_attested", words, "Use the node or an enrolled workspace.")
    return "environment"


def _passages(fence: Fence, at: Circumstances) -> Reason | str | None:
    if fence.passages is None:
        return None
    over = crossing(at.origin, at.place)
    if over == "none":
        return "passages"
    if over == "unknown":
        words = "It cannot be told whether data would leave its region: a place is unknown or too wide."
        return _out("passages", words, "Name the province or country of the data and of the use.")
    if not at.categories:
        return _out("passages", "The categories of the data are not known.", "Name them.")
    stopped = sorted(one for one in at.categories if not _passes(one, at, fence.passages))
    if not stopped:
        return "passages"
    words = f"No list lets {', '.join(stopped)} go from {at.origin} to {at.place} (another {over})."
    return _out("passages", words, "Use it where the data is, leave these categories out, or have the passage agreed.")


def _passes(category: str, at: Circumstances, passages: tuple[Passage, ...]) -> bool:
    start, end = read_place(at.origin), read_place(at.place)
    for one in passages:
        origin, destination = read_place(one.origin), read_place(one.destination)
        if one.category not in ("*", category) or None in (start, end, origin, destination):
            continue
        if _lies(start, origin) and _lies(end, destination):
            return True
    return False


def _lies(place: Place | None, region: Place | None) -> bool:
    """Hong Kong, Macao and Taiwan lie in a passage's region only where it names them: ``CN`` is the mainland there."""
    if place is None or region is None or place.within(region) is not True:
        return False
    return region.spelled != "CN" or _country(place) == "CN"


def _country(place: Place) -> str:
    """The region that counts as a country: those of China that keep customs of their own count apart."""
    apart = {"71": "TW", "81": "HK", "82": "MO"}
    return apart.get(place.path[1], "CN") if place.path[0] == "CN" and len(place.path) > 1 else place.path[0]


def _out(kind: str, words: str, remedy: str) -> Reason:
    return Reason(f"terms.fence_{kind}", words, remedy)


def _faults(fence: Fence) -> Iterator[Reason]:
    if not is_name(fence.name):
        yield _bad("A fence has a plain name.", "Use letters, digits, . _ : and -.")
    if len(fence.beside) > TIGHTENINGS.value or any(one.beside for one in fence.beside):
        yield _bad(f"A fence has at most {TIGHTENINGS.value} others beside it, which have none.", "Join them.")
        return
    for one in (fence, *fence.beside):
        yield from _words(one)


def _words(fence: Fence) -> Iterator[Reason]:
    """Every entry that cannot be read, and every list that is too long."""
    readers = (
        ("network", fence.networks, read_network, "10.1.0.0/16, no bit set beyond its prefix"),
        ("network", fence.proxies, read_network, "10.1.0.0/16, no bit set beyond its prefix"),
        ("place", fence.places, read_place, "CN-SH or DE"),
        ("window", fence.hours, read_window, "Mo-Fr 08:00-18:00 Asia/Shanghai"),
    )
    for kind, texts, read, example in readers:
        yield from _counted(texts)
        for text in texts:
            if read(text) is None:
                yield _bad(f"'{_plain(text)}' is no {kind}.", f"Write one such as {example}.")
    yield from _counted(fence.environments)
    yield from _known("environment", fence.environments, ENVIRONMENTS)
    passages = fence.passages or ()
    yield from _counted(passages)
    yield from _known("category of data", [one.category for one in passages], ["*", *CATEGORIES])
    for one in passages:
        for text in (one.origin, one.destination):
            if read_place(text) is None:
                yield _bad(f"'{_plain(text)}' is no place.", "Write one such as CN-SH or DE.")


def _counted(entries: tuple[object, ...]) -> Iterator[Reason]:
    if len(entries) > ENTRIES.value:
        yield _bad(f"A fence has at most {ENTRIES.value} entries of one kind.", "Join them.")


def _known(what: str, words: Iterable[str], known: Iterable[str]) -> Iterator[Reason]:
    names = list(known)
    for word in words:
        if word not in names:
            like = nearest(word, names)
            meant = f"Did you mean '{like}'? " if like else ""
            yield _bad(f"'{_plain(word)}' is not a known {what}.", f"{meant}Known: {', '.join(names)}.")


def _bad(words: str, remedy: str) -> Reason:
    return Reason("terms.fence_malformed", words, remedy)


def _plain(text: str) -> str:
    return text[:60].encode("ascii", "replace").decode()
