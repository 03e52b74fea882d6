"""What others said is shown on a terminal, and steers none."""

from __future__ import annotations

import pytest

from xinglin.cli.output import columns, ends, facts
from xinglin.kernel.errors import XinglinError

HOSTILE = "ages\x1b[2J\x07\r\u202eevil\x9b1m"


def test_titles_and_reasons_of_others_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    @ends
    def failing() -> None:
        raise XinglinError(HOSTILE, remedy=HOSTILE)

    with pytest.raises(Exception, match="1"):
        failing()
    told = capsys.readouterr().err + columns([{"title": HOSTILE}], ("title",)) + facts({"trouble": [HOSTILE]})
    assert not set(told) & set("\x1b\x07\r\u202e\x9b")
    assert told.count("ages\N{REPLACEMENT CHARACTER}[2J") == 4 and "evil" in told
    assert facts({"name": "心脏\u3000数据"}) == "name  心脏\u3000数据"
