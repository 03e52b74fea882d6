"""A node's connector: off unless wanted, refused where it would be open, absent where it is not asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xinglin.connector.assembly import BadSettings, check_reach
from xinglin.node.connector import _check_listening
from xinglin.node.connector_desk import NodeDspDesk
from xinglin.node.settings import NodeSettings, node_settings
from xinglin.wire.desk import DeskAnswer, DeskCall
from xinglin.wire.errors import Refused


def test_it_is_off_unless_somebody_switches_it_on(tmp_path: Path) -> None:
    found = node_settings(tmp_path, environ={}).settings
    assert (found.dsp_address, found.dsp_listen, found.dsp_issuers, found.dsp_issues) == ("", "127.0.0.1", (), ())
    assert not found.dsp_trial


@pytest.mark.parametrize(
    "told",
    [
        {"dsp_listen": "0.0.0.0"},
        {"dsp_listen": "192.0.2.7"},
        {"dsp_listen": "::"},
        {"dsp_listen": "clinic.example", "dsp_certificate": "c.pem", "dsp_key": "k.pem"},
        {"dsp_certificate": "c.pem"},
        {"dsp_key": "k.pem"},
    ],
)
def test_it_is_not_open_to_a_network_without_tls(told: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        _check_listening(NodeSettings(dsp_address="https://clinic.example", **told))


def test_it_listens_here_or_with_a_certificate() -> None:
    _check_listening(NodeSettings())
    _check_listening(NodeSettings(dsp_listen="0.0.0.0", dsp_certificate="c.pem", dsp_key="k.pem"))


@pytest.mark.parametrize(
    "told",
    [
        {"dsp_address": "http://clinic.example"},
        {"dsp_address": "https://clinic.example/path"},
        {"dsp_credentials": ()},
        {"dsp_open_most": 0},
        {"dsp_begun_most": 0},
    ],
)
def test_settings_that_are_not_to_be_trusted_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        check_reach(NodeSettings(**({"dsp_address": "https://clinic.example"} | told)).reach)


class NothingHeld:
    """A hub that holds nothing for this hospital."""

    def shown(self) -> list[dict[str, Any]]:
        return []

    def __contains__(self, pid: object) -> bool:
        return False


async def test_a_node_that_does_not_speak_it_says_so_and_answers_the_rest() -> None:
    desk = NodeDspDesk(NothingHeld(), None)  # type: ignore[arg-type]

    async def others(call: DeskCall) -> DeskAnswer:
        return DeskAnswer(call.verb)

    assert (await desk.answer_at_desk(DeskCall("status"), others)).value == "status"
    assert (await desk.answer_at_desk(DeskCall("dsp-list"), others)).value == []
    for verb in ("dsp-show", "dsp-accept", "dsp-negotiate", "dsp-nothing"):
        with pytest.raises(Refused):
            await desk.answer_at_desk(DeskCall(verb, {"pid": "urn:uuid:1"}), others)


def test_a_node_that_is_not_reached_loads_no_server() -> None:
    words = "import sys, xinglin.node.main; sys.exit(any(name in sys.modules for name in ('litestar', 'granian')))"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
