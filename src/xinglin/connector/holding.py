"""Credentials of a connector: asked for at issuers, kept in its wallet, shown to verifiers; and issued to others.

What people of the process do by its desk; the routes are in ``dcp_routes``, what is kept in ``dcp_wallet`` and
``dcp_issuing``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.connector.addresses import check_address
from xinglin.connector.assembly import Assembled
from xinglin.connector.dcp_issuing import Issuer
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import deny
from xinglin.trust.dcp_documents import ISSUER_SERVICE
from xinglin.trust.dcp_messages import HERE, CredentialRequestMessage, IssuerMetadata, Wish, encode, parse
from xinglin.trust.dcp_tokens import issue_id_token
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.errors import Refused

LIFE_DAYS = 90
LIFE_MOST_DAYS = 366


async def ask_issuer(found: Assembled, issuer: str, wanted: tuple[str, ...]) -> dict[str, str]:
    """Ask an issuer for credentials about us; it delivers them once its people have decided.

    Only an issuer that this connector trusts is asked. The request is remembered before it is sent: an issuer may
    deliver before its answer is read.
    """
    if issuer not in found.door.issuers:
        words = "This issuer is not trusted here: what it delivers would be refused."
        raise Refused(deny("dcp.untrusted_issuer", words, "Name it in 'dsp_issuers'.").reasons)
    service, tokens = await _service_of(found, issuer), found.door.tokens
    holder_pid = f"urn:uuid:{uuid.uuid4()}"
    message = CredentialRequestMessage(
        context=HERE, holder_pid=holder_pid, credentials=tuple(Wish(id=one) for one in wanted)
    )
    found.wallet.asked(holder_pid, issuer)
    mine = issue_id_token(tokens.signer, issuer, tokens.clock())
    answer = await found.sender.post(f"{service}/credentials", encode(message), f"Bearer {mine}")
    if answer.status != 201:
        found.wallet.answered(holder_pid)
        raise Unreachable(f"The issuer answered {answer.status}.", remedy="See what it gives: dsp credential offers.")
    return {"holder_pid": holder_pid, "issuer": issuer}


async def given_by(found: Assembled, issuer: str) -> list[dict[str, Any]]:
    """What an issuer says that it gives."""
    service, tokens = await _service_of(found, issuer), found.door.tokens
    mine = issue_id_token(tokens.signer, issuer, tokens.clock())
    answer = await found.sender.get(f"{service}/metadata", f"Bearer {mine}")
    if answer.status != 200:
        raise Unreachable(f"The issuer answered {answer.status}.")
    told = parse(answer.body, IssuerMetadata)
    return [{"id": one.id, "type": one.credential_type, "profile": one.profile} for one in told.credentials_supported]


async def _service_of(found: Assembled, issuer: str) -> str:
    service = (await found.door.tokens.resolver.document(issuer)).service(ISSUER_SERVICE)
    check_address(service)
    return service.rstrip("/")


# --- the desk ----------------------------------------------------------------------------------------


async def _held(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    state = found.wallet.state
    told = msgspec.to_builtins(state)
    credentials = [{k: v for k, v in one.items() if k != "jwt"} for one in told["credentials"].values()]
    return {"credentials": credentials, "requests": told["requests"], "offers": told["offers"]}


async def _ask(found: Assembled, given: Mapping[str, str]) -> dict[str, str]:
    return await ask_issuer(found, _said(given, "issuer"), _words(given, "ids"))


async def _metadata(found: Assembled, given: Mapping[str, str]) -> list[dict[str, Any]]:
    return await given_by(found, _said(given, "issuer"))


async def _requests(found: Assembled, given: Mapping[str, str]) -> list[dict[str, Any]]:
    named = ("request_id", "holder", "wanted", "status")
    listed = _issuer(found).state.requests.values()
    return [{name: getattr(one, name) for name in named} | {"delivered": not one.owed} for one in listed]


async def _grant(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    issuer, request = _issuer(found), _said(given, "request")
    try:
        claims = msgspec.json.decode(given.get("claims") or "{}", type=dict[str, str])
        days = int(given.get("days") or LIFE_DAYS)
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedMessage("'claims' is an object of texts, 'days' a number.") from error
    if not 1 <= days <= LIFE_MOST_DAYS:
        raise MalformedMessage(f"A credential lives for 1 to {LIFE_MOST_DAYS} days.")
    known = issuer.state.requests.get(request)
    kinds = [issuer.supported[one] for one in known.wanted] if known is not None else []
    delivered = await issuer.grant(request, dict.fromkeys(kinds, claims), days)
    return {"request": request, "delivered": delivered, "credentials": list(issuer.state.issued)[-len(kinds) :]}


async def _deny(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    request = _said(given, "request")
    return {"request": request, "told": await _issuer(found).refuse(request, _said(given, "reason"))}


async def _revoke(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    credential = _said(given, "credential")
    _issuer(found).revoke(credential)
    return {"credential": credential, "revoked": True}


async def _offer(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    holder, wanted = _said(given, "holder"), _words(given, "ids")
    await _issuer(found).offer(holder, wanted)
    return {"holder": holder, "offered": list(wanted)}


CREDENTIAL_VERBS = {
    "dsp-credentials": _held,
    "dsp-ask": _ask,
    "dsp-metadata": _metadata,
    "dsp-requests": _requests,
    "dsp-grant": _grant,
    "dsp-deny": _deny,
    "dsp-revoke": _revoke,
    "dsp-offer": _offer,
}
"""The desk's verbs about credentials."""


def _issuer(found: Assembled) -> Issuer:
    if found.issuer is None:
        raise Refused(deny("dcp.no_issuer", "No credentials are issued here.", "Set 'dsp_issues'.").reasons)
    return found.issuer


def _said(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise MalformedMessage(f"'{name}' is missing.", remedy="Name it.")
    return given[name]


def _words(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in _said(given, name).split() if one))
