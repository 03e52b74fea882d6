"""Bulk exports of a workspace (Bulk Data Access 2.0): a job lists the FHIR files of what its client may read."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, from_text, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.sdk.workspace.keeper import Keeper, Kept
from xinglin.sdk.workspace.tokens import Token
from xinglin.wire.errors import Refused

JOBS = Limit("exports at one time", 64, "exports")
JOB_LIFE_MS = 3_600_000
NDJSON = "application/fhir+ndjson"
OUTCOME = "OperationOutcome"
"""What was left out of an extract, in words; a client gets it beside whatever it asks for."""
FORMATS = (NDJSON, "application/ndjson", "ndjson")


class Output(msgspec.Struct, frozen=True):
    """A file of an export: of which extract, of which FHIR type."""

    run: str
    name: str
    type: str


class Job(msgspec.Struct, frozen=True):
    """An export: whose, of what, since when; ``ready`` once its files were read and found to be what they should."""

    id: str
    client: str
    request: str
    at: Instant
    outputs: tuple[Output, ...]
    ready: bool = False


class Exports:
    """The exports of a process; nothing of them outlives it, and a client asks again."""

    def __init__(self, keeper: Keeper, url: str, clock: Clock) -> None:
        self._keeper, self._url, self._clock = keeper, url, clock
        self._jobs: dict[str, Job] = {}

    def begin(self, token: Token, request: str, types: Sequence[str], since: str = "", run: str = "") -> Job:
        """An export of the extracts that the token opens; ``Refused`` where nothing of it may be read."""
        after = _instant(since) if since else -1
        mine = [one for one in self._keeper.kept() if not token.client.runs or one.run_id in token.client.runs]
        if run and not any(one.run_id == run for one in mine):
            words = "There is no such group: a group is an extract of this workspace."
            raise Refused(deny("workspace.no_group", words, "See the extracts of this client.").reasons, status=404)
        denied = [kind for kind in types if not token.opens(kind)]
        if denied:
            words = f"The token does not open {', '.join(denied[:8])}."
            raise Refused(deny("workspace.scope", words, "Ask for a token with these scopes.").reasons, status=403)
        chosen = [one for one in mine if (not run or one.run_id == run) and one.at > after]
        outputs = tuple(
            found for one in chosen for found in _outputs(one) if found.type == OUTCOME
            or (token.opens(found.type) and (not types or found.type in types))
        )  # fmt: skip
        self._forget()
        JOBS.check(len(self._jobs) + 1)
        job = Job(secrets.token_urlsafe(16), token.client.id, request, self._clock(), outputs)
        self._jobs[job.id] = job
        return job

    def prepare(self, job_id: str) -> None:
        """Read every file of a job once: only what is whole is offered."""
        job = self._jobs.get(job_id)
        if job is not None:
            for one in job.outputs:
                self._keeper.file(one.run, one.name)
            self._jobs[job_id] = msgspec.structs.replace(job, ready=True)

    def job(self, token: Token, job_id: str) -> Job:
        """A client's own job; ``Refused`` (404) otherwise."""
        self._forget()
        found = self._jobs.get(job_id)
        if found is None or found.client != token.client.id:
            raise Refused(
                deny("workspace.no_export", "There is no such export.", "Ask for it anew.").reasons, status=404
            )
        return found

    def delete(self, token: Token, job_id: str) -> None:
        """The client has what it wanted."""
        del self._jobs[self.job(token, job_id).id]

    def manifest(self, job: Job) -> dict[str, object]:
        """The manifest of a job that is ready."""
        return {
            "transactionTime": to_text(job.at),
            "request": job.request,
            "requiresAccessToken": True,
            "output": [
                {"type": one.type, "url": f"{self._url}/fhir/export/{job.id}/{number}"}
                for number, one in enumerate(job.outputs)
                if one.type != OUTCOME
            ],
            "error": [
                {"type": one.type, "url": f"{self._url}/fhir/export/{job.id}/{number}"}
                for number, one in enumerate(job.outputs)
                if one.type == OUTCOME
            ],
        }

    def file(self, token: Token, job_id: str, number: int) -> bytes:
        """A file of a job, as kept; ``Refused`` (404) where there is none."""
        job = self.job(token, job_id)
        if not job.ready or not 0 <= number < len(job.outputs):
            raise Refused(deny("workspace.no_file", "There is no such file.", "See the manifest.").reasons, status=404)
        one = job.outputs[number]
        return self._keeper.file(one.run, one.name)

    def _forget(self) -> None:
        oldest = self._clock() - JOB_LIFE_MS
        self._jobs = {name: one for name, one in self._jobs.items() if one.at > oldest}


def _outputs(kept: Kept) -> list[Output]:
    return [
        Output(kept.run_id, one.name, one.name.removesuffix(".ndjson"))
        for one in kept.manifest.files
        if one.media_type == NDJSON
    ]


def _instant(text: str) -> Instant:
    try:
        return from_text(text)
    except (XinglinError, OverflowError) as error:
        reasons = deny("workspace.since", "'_since' is no instant.", "Write 2026-01-01T00:00:00Z.").reasons
        raise Refused(reasons, status=400) from error
