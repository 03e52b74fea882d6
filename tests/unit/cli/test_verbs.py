"""Verbs on real folders and against a hub in memory: founding, settings, doctor, fsck, verify, asking."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.unit.sdk.conftest import VARIABLES, VIEW
from tests.unit.sdk.fake_hub import FakeHub
from typer.testing import CliRunner, Result

from xinglin.cli import wiring
from xinglin.cli.app import app
from xinglin.cli.output import NO_RESULT, REFUSED, UNREACHABLE, UNVERIFIED, USAGE, printer
from xinglin.console.doctor import examine
from xinglin.kernel.verdict import Reason
from xinglin.sdk.results import StudyResult
from xinglin.sdk.space import Space
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.trust.key_file import read_key_file
from xinglin.wire.space import parse_space

runner = CliRunner()
SQL = "SELECT age, sex, disease FROM cardiac"


def said(result: Result) -> object:
    return msgspec.json.decode(result.stdout)


@pytest.fixture(autouse=True)
def quiet_printer() -> object:
    yield
    printer.as_json = False


@pytest.fixture
def founded(tmp_path: Path) -> Path:
    """A folder with the regulator's witness ``w`` and the hub ``h``, founded by the verbs."""
    made = runner.invoke(app, ["witness", "init", "Commission", "--folder", str(tmp_path / "w")])
    assert made.exit_code == 0, made.output
    words = ["hub", "init", "grove", "--card", str(tmp_path / "w" / "card.json"), "--folder", str(tmp_path / "h")]
    made = runner.invoke(app, words)
    assert made.exit_code == 0, made.output
    return tmp_path


def asking(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeHub:
    """A hub in memory behind ``xinglin.sdk.space.connect``, with a study that is agreed to."""
    hub = FakeHub()

    def connect(*_: object, **__: object) -> Space:
        return hub.analyst(folder)

    monkeypatch.setattr("xinglin.sdk.space.connect", connect)
    hub.analyst(folder).propose("Heart", data_set="cardiology", cohort={"cardiac": VIEW}, variables=VARIABLES)
    hub.approve()
    return hub


def ask(folder: Path, *words: str, as_json: bool = True) -> Result:
    tail = ["--account", str(folder), "--study", "Heart", "--sql", SQL]
    return runner.invoke(app, [*(["--json"] if as_json else []), *words, *tail])


# --- founding, settings, doctor ---------------------------------------------------------------


def test_founding_keeps_private_keys_private_and_never_overwrites(founded: Path) -> None:
    for key in (founded / "h" / "hub.key", founded / "w" / "witness.key"):
        assert key.stat().st_mode & 0o077 == 0
    space = parse_space((founded / "h" / "space.json").read_bytes())
    before = (founded / "h" / "hub.key").read_bytes()
    words = ["hub", "init", "grove", "--card", str(founded / "w" / "card.json"), "--folder", str(founded / "h")]
    assert runner.invoke(app, words).exit_code == REFUSED
    assert (founded / "h" / "hub.key").read_bytes() == before
    followed = runner.invoke(
        app, ["witness", "follow", str(founded / "h" / "space.json"), "--folder", str(founded / "w"), "--json"]
    )
    assert said(followed)["space"] == space.name == "grove"  # type: ignore[index]


def test_keys_under_a_passphrase_open_with_it_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\nsecond line\n")
    words = ["witness", "init", "C", "--folder", str(tmp_path / "w"), "--passphrase-file", str(secret)]
    assert runner.invoke(app, words).exit_code == 0
    assert read_key_file((tmp_path / "w" / "witness.key").read_bytes(), "open sesame").did.startswith("did:xinglin:")
    prompted = ["witness", "init", "C", "--folder", str(tmp_path / "v"), "--passphrase"]
    assert runner.invoke(app, prompted, input="one\ntwo\none\none\n").exit_code == 0
    assert read_key_file((tmp_path / "v" / "witness.key").read_bytes(), "one")


def test_settings_show_every_value_and_its_source(founded: Path) -> None:
    rows = said(runner.invoke(app, ["settings", "hub", "--folder", str(founded / "h"), "--json"]))
    by_name = {row["name"]: row for row in rows}  # type: ignore[attr-defined]
    assert by_name["port"]["source"].startswith("file ")
    assert by_name["drain_s"]["source"] == "default"
    shown = runner.invoke(app, ["settings", "node", "--folder", str(founded)])
    assert "query_memory_mb" in shown.stdout
    (founded / "h" / "hub.toml").write_text("prot = 1\n")
    wrong = runner.invoke(app, ["settings", "hub", "--folder", str(founded / "h")])
    assert wrong.exit_code == USAGE
    assert "port" in wrong.stderr


def test_doctor_says_what_is_wrong_and_what_to_do(founded: Path) -> None:
    found = {one.check: one for one in examine(founded / "h")}
    assert found["keys"].ok
    assert found["disk"].check == "disk"
    assert not found["hub"].ok
    assert not found["process"].ok
    assert found["process"].remedy.startswith("Start it")
    (founded / "h" / "hub.key").chmod(0o644)
    assert not {one.check: one for one in examine(founded / "h")}["key file mode"].ok
    (founded / "h" / "hub.key").write_bytes(b"{}")
    assert not {one.check: one for one in examine(founded / "h")}["keys"].ok
    assert runner.invoke(app, ["doctor", "--folder", str(founded / "h")]).exit_code == REFUSED
    nobody = {one.check: one for one in examine(founded)}
    assert not nobody["folder"].ok


def test_verbs_that_need_a_running_process_say_so(founded: Path) -> None:
    for words in (["hub", "status"], ["hub", "invite"], ["hub", "stop"]):
        ended = runner.invoke(app, [*words, "--folder", str(founded / "h")])
        assert ended.exit_code == UNREACHABLE
        assert "Start it" in ended.stderr


def test_a_node_joins_only_with_a_providers_invite(tmp_path: Path) -> None:
    ended = runner.invoke(app, ["node", "join", "xinglin-invite-1.AAAA", "--name", "N", "--folder", str(tmp_path)])
    assert ended.exit_code == USAGE
    assert not list(tmp_path.glob("*.key"))


# --- fsck -------------------------------------------------------------------------------------


def log_of(folder: Path, hub: FakeHub) -> Path:
    store = SqliteLogStore(folder / wiring.LOG_FILE)
    store.append_batch(hub.log.entries())
    store.put_checkpoint(hub._note().to_text().encode(), wiring.NEWEST)
    store.put_checkpoint(hub._note().to_text().encode(), wiring.WITH_QUORUM)
    store.close()
    (folder / wiring.SPACE_FILE).write_bytes(msgspec.json.encode(hub.space))
    return folder


def test_fsck_of_a_whole_log_is_clean(tmp_path: Path) -> None:
    value = said(runner.invoke(app, ["fsck", str(log_of(tmp_path, FakeHub())), "--json"]))
    assert value["clean"]  # type: ignore[index]
    assert (value["size"], value["checkpoints"]) == (6, 1)  # type: ignore[index]


def test_fsck_finds_a_log_that_another_space_signed(tmp_path: Path) -> None:
    folder = log_of(tmp_path, FakeHub())
    other = tmp_path / "other.json"
    other.write_bytes(msgspec.json.encode(FakeHub().space))
    ended = runner.invoke(app, ["fsck", str(folder), "--descriptor", str(other), "--json"])
    assert ended.exit_code == UNVERIFIED
    assert said(ended)["findings"]  # type: ignore[index]


def test_fsck_finds_a_checkpoint_over_other_entries(tmp_path: Path) -> None:
    folder, hub = log_of(tmp_path, FakeHub()), FakeHub()
    store = SqliteLogStore(folder / wiring.LOG_FILE)
    store.put_checkpoint(hub._note().to_text().encode(), wiring.WITH_QUORUM)
    store.close()
    assert runner.invoke(app, ["fsck", str(folder)]).exit_code == UNVERIFIED


def test_fsck_of_no_log_is_told(tmp_path: Path) -> None:
    ended = runner.invoke(app, ["fsck", str(tmp_path)])
    assert ended.exit_code == REFUSED
    assert "holds no log" in ended.stderr


# --- asking, and verifying ----------------------------------------------------------------------


def test_a_model_is_asked_for_printed_and_its_receipt_verified_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub, proof = asking(monkeypatch, tmp_path), tmp_path / "r.tlog-proof"
    asked = ask(tmp_path, "glm", "disease ~ age", "--family", "binomial", "--receipt", str(proof))
    assert asked.exit_code == 0, asked.output
    value = said(asked)
    assert value["kind"] == "glm"  # type: ignore[index]
    assert value["run_id"] in hub.runs  # type: ignore[index]
    before = len(hub.calls)
    verified = runner.invoke(app, ["verify", str(proof), "--json"])
    assert verified.exit_code == 0, verified.output
    shown = said(verified)
    assert (shown["kind"], shown["subject"]) == ("release-authorised", value["run_id"])  # type: ignore[index]
    assert shown["result"]["payload"]["aic"] == 14.0  # type: ignore[index]
    assert len(hub.calls) == before
    assert "no fork protection" in runner.invoke(app, ["verify", str(proof)]).stdout


def test_tampered_receipts_end_with_4(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub, proof = asking(monkeypatch, tmp_path), tmp_path / "r.tlog-proof"
    ask(tmp_path, "describe", "age", "--receipt", str(proof))
    text = proof.read_text()
    extra = next(line for line in text.splitlines() if line.startswith("extra "))
    signature = text.splitlines()[-1]
    for altered in (
        text.replace("index ", "index 1"),
        text.replace(extra, extra[:-8] + "AAAAAAA="),
        text.replace(signature, signature[:-6] + "AAAA=="),
        text.replace("\n\n", "\n", 1),
        "",
    ):
        proof.write_text(altered)
        ended = runner.invoke(app, ["verify", str(proof)])
        assert ended.exit_code == UNVERIFIED, ended.output
    proof.write_text(text)
    other = tmp_path / "other.policy"
    other.write_text(FakeHub().space.policy)
    assert runner.invoke(app, ["verify", str(proof), "--policy", str(other)]).exit_code == UNVERIFIED
    beside = Path(f"{proof}.opening")
    opening = msgspec.json.decode(beside.read_bytes())
    beside.write_bytes(msgspec.json.encode({**opening, "outcome": "e30="}))
    assert runner.invoke(app, ["verify", str(proof)]).exit_code == UNVERIFIED
    beside.unlink()
    assert "not opened" in runner.invoke(app, ["verify", str(proof)]).stdout
    assert hub.calls


def test_a_preview_reads_no_row_and_asks_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = asking(monkeypatch, tmp_path)
    posted = hub.posted()
    plain = ask(tmp_path, "preview", as_json=False)
    assert plain.exit_code == 0, plain.output
    assert "at least 10 persons a cell" in plain.stdout
    found = said(ask(tmp_path, "preview", "crosstab", "--param", "rows=sex", "--param", "columns=disease"))
    assert "sex=female" in found["cells"]  # type: ignore[index]
    assert hub.posted() == posted
    assert not hub.runs


def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = asking(monkeypatch, tmp_path)
    for words in (["glm", "disease ~ weight"], ["glm", "disease ~ exec('x')"], ["describe", "weight"]):
        ended = ask(tmp_path, *words)
        assert ended.exit_code == REFUSED
        assert said(ended)["remedy"]  # type: ignore[index]
    tail = ["--account", str(tmp_path), "--study", "Heart", "--sql", "SELECT chol FROM cardiac", "--json"]
    ended = runner.invoke(app, ["describe", *tail])
    assert ended.exit_code == REFUSED
    assert said(ended)["reasons"][0]["remedy"]  # type: ignore[index]
    assert not hub.runs


def test_refusals_and_ends_of_runs_have_their_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = asking(monkeypatch, tmp_path)
    reasons = (Reason("terms.no_allowance", "Used up.", "Amend."),)
    for state, kind, code in (("refused", "", REFUSED), ("withheld", "withheld", REFUSED), ("too_few", "", NO_RESULT)):
        hub.end = (state, kind, reasons)
        assert ask(tmp_path, "describe", "age").exit_code == code


def test_a_run_is_asked_for_without_waiting_and_taken_up_by_its_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = asking(monkeypatch, tmp_path)
    verbs = (
        ["describe"], ["crosstab", "sex", "disease"], ["histogram", "age"], ["quantiles", "age"], ["correlation"],
        ["ttest", "age", "--by", "sex"], ["anova", "age", "--by", "sex"], ["glm", "age ~ disease"],
        ["table1", "--by", "sex"], ["flow", "disease"],
    )  # fmt: skip
    asked = []
    for words in verbs:
        ended = ask(tmp_path, *words, "--no-wait")
        assert ended.exit_code == 0, ended.output
        asked.append(said(ended)["run_id"])  # type: ignore[index]
    assert set(asked) == set(hub.runs)
    shown = runner.invoke(app, ["run", "show", asked[0], "--account", str(tmp_path)])
    assert "north" in shown.stdout
    taken = runner.invoke(app, ["run", "result", asked[0], "--account", str(tmp_path), "--json"])
    assert said(taken)["run_id"] == asked[0]  # type: ignore[index]


def test_studies_participants_and_data_sets_are_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asking(monkeypatch, tmp_path)
    account = ["--account", str(tmp_path)]
    shown = said(runner.invoke(app, ["study", "show", "Heart", *account, "--json"]))
    assert shown["views"] == {"cardiac": ["age", "sex", "disease"]}  # type: ignore[index]
    assert {one["state"] for one in shown["agreements"]} == {"active"}  # type: ignore[index]
    assert len(said(runner.invoke(app, ["study", "list", *account, "--json"]))) == 3  # type: ignore[arg-type]
    assert "north" in runner.invoke(app, ["participants", *account]).stdout
    assert "cardiac" in runner.invoke(app, ["datasets", *account]).stdout
    missing = runner.invoke(app, ["study", "show", "Lung", *account])
    assert missing.exit_code == REFUSED


def test_a_folder_without_an_account_is_told_how_to_join(tmp_path: Path) -> None:
    ended = runner.invoke(app, ["participants", "--account", str(tmp_path)])
    assert ended.exit_code == USAGE
    assert "xinglin join" in ended.stderr


def test_the_result_of_the_sdk_is_what_the_verb_prints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asking(monkeypatch, tmp_path)
    shown: list[StudyResult] = []
    original = StudyResult.summary
    monkeypatch.setattr(StudyResult, "summary", lambda self: shown.append(self) or original(self))
    printed = ask(tmp_path, "glm", "disease ~ age", as_json=False).stdout
    assert original(shown[0]) in printed
    assert "Entry" in printed
