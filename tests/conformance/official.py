"""The official JSON schemas of the Dataspace Protocol 2025-1, read in place; every message is held to them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from jsonschema import Draft201909Validator
from referencing import Registry, Resource

CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
BROKEN, MENDED = "#definitions/", "#/definitions/"
_FILES = {
    "VersionResponse": "common/protocol-version-schema.json",
    "Catalog": "catalog/catalog-schema.json",
    "Dataset": "catalog/dataset-schema.json",
    "CatalogRequestMessage": "catalog/catalog-request-message-schema.json",
    "CatalogError": "catalog/catalog-error-schema.json",
    "ContractRequestMessage": "negotiation/contract-request-message-schema.json",
    "ContractOfferMessage": "negotiation/contract-offer-message-schema.json",
    "ContractAgreementMessage": "negotiation/contract-agreement-message-schema.json",
    "ContractAgreementVerificationMessage": "negotiation/contract-agreement-verification-message-schema.json",
    "ContractNegotiationEventMessage": "negotiation/contract-negotiation-event-message-schema.json",
    "ContractNegotiationTerminationMessage": "negotiation/contract-negotiation-termination-message-schema.json",
    "ContractNegotiation": "negotiation/contract-negotiation-schema.json",
    "ContractNegotiationError": "negotiation/contract-negotiation-error-schema.json",
    "TransferRequestMessage": "transfer/transfer-request-message-schema.json",
    "TransferStartMessage": "transfer/transfer-start-message-schema.json",
    "TransferSuspensionMessage": "transfer/transfer-suspension-message-schema.json",
    "TransferCompletionMessage": "transfer/transfer-completion-message-schema.json",
    "TransferTerminationMessage": "transfer/transfer-termination-message-schema.json",
    "TransferProcess": "transfer/transfer-process-schema.json",
    "TransferError": "transfer/transfer-error-schema.json",
}


class Schemas:
    """Every schema by the ``@type`` that it is for; references between files are resolved among them alone."""

    def __init__(self, archive: Path) -> None:
        self.by_path: dict[str, dict[str, Any]] = {}
        self.examples: dict[str, Any] = {}
        self.contexts: dict[str, Any] = {}
        self.mended = 0
        with tarfile.open(archive) as opened:
            for member in opened.getmembers():
                file = opened.extractfile(member)
                path = member.name.removeprefix("./")
                if file is None or not path.endswith((".json", ".jsonld")):
                    continue
                text = file.read().decode()
                if "/example/" in path:
                    self.examples[path] = json.loads(text)
                elif path.endswith(".jsonld"):
                    self.contexts[path] = json.loads(text)
                elif path.endswith("-schema.json"):
                    # Three transfer schemas lack the slash that makes the fragment a JSON pointer.
                    self.mended += text.count(BROKEN)
                    self.by_path[path] = json.loads(text.replace(BROKEN, MENDED))
        known = ((schema["$id"], Resource.from_contents(schema)) for schema in self.by_path.values())
        self._registry: Registry[Any] = Registry().with_resources(known)
        self._validators = {name: self._validator(path) for name, path in _FILES.items()}

    def _validator(self, path: str) -> Draft201909Validator:
        return Draft201909Validator(self.by_path[path], registry=self._registry)

    @property
    def names(self) -> tuple[str, ...]:
        """The ``@type`` of every message that has a schema."""
        return tuple(_FILES)

    def schema(self, name: str) -> dict[str, Any]:
        """The schema of a message."""
        return self.by_path[_FILES[name]]

    def faults(self, name: str, message: Any) -> list[str]:
        """What the schema of ``name`` finds wrong with ``message``."""
        if name not in self._validators:
            return [f"no message of the protocol is called {name!r}"]
        return [f"{fault.json_path}: {fault.message}" for fault in self._validators[name].iter_errors(message)]

    def check(self, message: Any, *names: str) -> Any:
        """``message`` once it is valid, and one of ``names`` where any is given."""
        name = message.get("@type") if isinstance(message, dict) else None
        assert isinstance(name, str), f"no '@type': {message!r}"
        assert not names or name in names, f"a {name} where {names} is due: {message!r}"
        faults = self.faults(name, message)
        assert not faults, f"{name}: {faults}"
        return message
