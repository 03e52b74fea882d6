"""Secure: computing on what nobody sees. Here: the secure sum of one run among its hospitals.

The words: a *session* (one run: plan, roster, thresholds), a *party* (one node's side), a *relay* (the
hub's side), *masks* (pairwise, self) that cancel or are stripped, the *roster key* that nodes share and
the hub does not know, the *pad* and the *tag* made from it. No input or output: signing, verifying,
keeping and randomness are handed in; messages are bytes.

How a run goes (``member`` is an index in ``session.members``)::

    session = Session(plan=plan_digest, run=run_id, members=(Member(did, keys_digest), ...))
    party = Party(session, my_did, sign=sign, verify=verify, keep=keep)        # a node
    relay = Relay(session, verify=verify)                                      # the hub

    sign(context, payload) -> bytes                    # e.g. PrivateKeys.sign
    verify(did, context, payload, signature) -> bool   # by the keys that the session names by digest
    keep(snapshot)                                     # durable before it returns; called before any bytes leave

    node -> hub   party.advertise()                                  Advertise
    hub -> node   relay.message_for(did)  -> party.answer(bytes)     Adverts  -> Shares
    hub -> node   relay.message_for(did)  -> party.answer(bytes)     Begin    -> None (phase "ready")
    each round:
    node -> hub   party.upload(values, parts, state_digest)          Upload (masked values + Endorsement)
       (only when some vanished before the first opened total:       Survivors -> Endorsement)
    hub -> node   relay.message_for(did)  -> party.answer(bytes)     Endorsed -> Reveal
    hub           relay.reconstruct(executor)                        when relay.ready
    hub -> node   relay.message_for(did)  -> party.open(bytes)       Total -> Opened(round, survivors, values)
    at any time after Begin: party.derive(label) -> 32 bytes that all nodes share and the hub does not know
    at the end: party.close()

``relay.receive(did, bytes)`` takes what a node sent; ``relay.waiting_for`` names who is awaited;
``relay.proceed()`` is the caller's decision to go on without them. After a crash:
``Party.restore(snapshot, sign=…, verify=…, keep=…)`` and ``party.resend()``. What each can learn is
written in ``party``; every refusal is a ``SecureError``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Session": "session",
    "Member": "session",
    "Party": "party",
    "Opened": "party",
    "PARTY_STATES": "party",
    "Relay": "relay",
    "RELAY_STATES": "relay",
    "Part": "encoding",
    "FixedPoint": "encoding",
    "Advertise": "messages",
    "Adverts": "messages",
    "Shares": "messages",
    "Begin": "messages",
    "Upload": "messages",
    "Endorsement": "messages",
    "Survivors": "messages",
    "Endorsed": "messages",
    "Reveal": "messages",
    "Total": "messages",
    "Message": "messages",
    "encode": "messages",
    "parse": "messages",
    "Sign": "ports",
    "Verify": "ports",
    "Keep": "ports",
    "Entropy": "ports",
    "SecureError": "errors",
    "InvalidSession": "errors",
    "ValueRefused": "errors",
    "ForeignMessage": "errors",
    "WrongRound": "errors",
    "BadSignature": "errors",
    "WeakExchange": "errors",
    "BadShare": "errors",
    "Refused": "errors",
    "AlreadyAnswered": "errors",
    "AlteredTotal": "errors",
    "NotEnoughShares": "errors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
