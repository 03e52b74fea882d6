"""Schemathesis at every endpoint: cases made from the official schemas, valid and not; no 5xx, no move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from tests.conformance.attacked import Attacked, running
from tests.conformance.official import Schemas
from tests.conformance.process import MOVES
from tests.conformance.two_participants import MINE

CASES = 5
MODES = ("POSITIVE", "NEGATIVE")
_NEVER = "urn:uuid:00000000-0000-4000-8000-000000000000"
_ROOT = "https://w3id.org/dspace/2025/1/"
_OPENINGS = {
    "/catalog/request": "CatalogRequestMessage",
    "/negotiations/request": "ContractRequestMessage",
    "/negotiations/offers": "ContractOfferMessage",
    "/transfers/request": "TransferRequestMessage",
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, schemas: Schemas) -> Iterator[Attacked]:
    with running(tmp_path_factory.mktemp("fuzzed"), schemas) as found:
        yield found


def slug(path: str) -> str:
    return path.replace("/", "-").removesuffix(".json")


def described(schemas: Schemas, attacked: Attacked) -> dict[str, Any]:
    """The 26 endpoints as an OpenAPI description, its bodies the official schemas."""
    components: dict[str, Any] = {}
    for path, schema in schemas.by_path.items():
        text = json.dumps({name: part for name, part in schema.items() if name not in ("$schema", "$id")})
        text = text.replace('"#/definitions/', f'"#/components/schemas/{slug(path)}/definitions/')
        for other in schemas.by_path:
            here = f"#/components/schemas/{slug(other)}"
            text = text.replace(f'"{_ROOT}{other}#/', f'"{here}/').replace(f'"{_ROOT}{other}"', f'"{here}"')
        components[slug(path)] = json.loads(text)
    paths: dict[str, Any] = {"/catalog/datasets/{id}": {"get": _operation("", ["CAT0101", "no such"], components)}}
    for path, kind in _OPENINGS.items():
        paths[path] = {"post": _operation(kind, [], components, schemas)}
    for place, moves in MOVES.items():
        for prefix, side in (("", "provider"), ("/callback", "consumer")):
            ids = [one.theirs for one in attacked.processes if (one.place, one.other_side) == (place, side)]
            base = f"{prefix}/{place}/{{id}}"
            paths[base] = {"get": _operation("", [*ids, _NEVER], components)}
            for path, kind in moves.values():
                paths[f"{base}/{path}"] = {"post": _operation(kind, [*ids, _NEVER], components, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "DSP", "version": "2025-1"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(kind: str, ids: list[str], components: dict[str, Any], schemas: Schemas | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"responses": {"200": {"description": "ok"}}}
    if ids:
        made["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"enum": ids}}]
    if kind and schemas is not None:
        path = next(path for path, schema in schemas.by_path.items() if schema is schemas.schema(kind))
        body = {"$ref": f"#/components/schemas/{slug(path)}"}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return made


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
def test_every_endpoint_answers_whatever_comes(attacked: Attacked, schemas: Schemas, mode: str) -> None:
    described_api = schemathesis.openapi.from_dict(described(schemas, attacked))
    tried, statuses = 0, set()
    for result in described_api.get_all_operations():
        operation = result.ok()
        if mode == "NEGATIVE" and operation.method == "get":
            continue
        seen = _tried(attacked, operation, mode)
        tried += 1
        statuses |= seen
        assert not [status for status in seen if status >= 500], f"{operation.method} {operation.path}: {seen}"
        if mode == "NEGATIVE":
            assert not [status for status in seen if status < 400], f"{operation.method} {operation.path}: {seen}"
    assert tried == (29 if mode == "POSITIVE" else 24)
    assert statuses & {400, 404}


def _tried(attacked: Attacked, operation: Any, mode: str) -> set[int]:
    """The statuses of some cases of an operation; where all of them were refused, every process is as it was."""
    seen: set[int] = set()
    before = attacked.states()
    peer = attacked.peer

    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode]))
    @settings(
        max_examples=CASES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any) -> None:
        response = case.call(base_url=peer.provider_url, headers={"authorization": MINE}, timeout=30)
        seen.add(response.status_code)

    run()
    if all(status >= 400 for status in seen):
        assert attacked.states() == before, operation.path
    return seen
