"""Settings: which source wins, what is refused and in which words, what is hidden."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from xinglin.kernel import LimitExceeded
from xinglin.stores.settings_file import SETTINGS_BYTES, SettingsError, load_settings, settings_file_text


class Example(msgspec.Struct, frozen=True):
    """Settings of a process that does not exist."""

    folder: Path
    port: int = 8443
    hosts: tuple[str, ...] = ()
    tls: bool = True
    heartbeat_s: float = 2.5
    proxy: str | None = None
    database_url: str = "sqlite://"
    door_secret: str = ""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "example.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_beat_environment_beat_file_beat_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, 'folder = "f"\nport = 1\nheartbeat_s = 1\nhosts = ["a"]\n')
    environ = {"XINGLIN_EXAMPLE_PORT": "2", "XINGLIN_EXAMPLE_HOSTS": "b, c", "XINGLIN_OTHER_PORT": "9", "PATH": "/bin"}
    loaded = load_settings(Example, "example", environ=environ, file=file, flags={"port": 3, "tls": None})
    assert loaded.settings == Example(Path("f"), 3, ("b", "c"), True, 1.0)
    assert loaded.sources["port"] == "flag --port"
    assert loaded.sources["hosts"] == "environment XINGLIN_EXAMPLE_HOSTS"
    assert loaded.sources["heartbeat_s"] == f"file {file}"
    assert loaded.sources["tls"] == "default"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("False", False), ("1", True)])
def test_texts_of_the_environment_are_read_as_their_type(text: str, value: bool) -> None:
    environ = {"XINGLIN_EXAMPLE_TLS": text, "XINGLIN_EXAMPLE_FOLDER": "~/x"}
    settings = load_settings(Example, "example", environ=environ).settings
    assert settings.tls is value
    assert "~" not in str(settings.folder)


def test_an_unknown_key_is_refused_with_the_nearest_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(Example, "example", environ={}, file=write(tmp_path, 'folder = "f"\nheart_beat_s = 1'))
    assert refused.value.setting == "heart_beat_s"
    assert "'heartbeat_s'" in refused.value.remedy
    with pytest.raises(SettingsError, match="XINGLIN_EXAMPLE_PORTS"):
        load_settings(Example, "example", environ={"XINGLIN_EXAMPLE_PORTS": "1", "XINGLIN_EXAMPLE_FOLDER": "f"})
    with pytest.raises(SettingsError, match="--ports"):
        load_settings(Example, "example", environ={"XINGLIN_EXAMPLE_FOLDER": "f"}, flags={"ports": 1})


@pytest.mark.parametrize("text", ["eighty", "1.5", "", "8_443x"])
def test_a_wrong_type_names_setting_and_source(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(Example, "example", environ={"XINGLIN_EXAMPLE_FOLDER": "f", "XINGLIN_EXAMPLE_PORT": text})
    assert (refused.value.setting, refused.value.source) == ("port", "environment XINGLIN_EXAMPLE_PORT")


def test_a_missing_value_says_the_three_ways_to_give_it() -> None:
    with pytest.raises(SettingsError, match=r"XINGLIN_EXAMPLE_FOLDER.*--folder"):
        load_settings(Example, "example", environ={})


def test_files_that_are_absent_broken_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Example, "example", environ={}, file=tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="not TOML"):
        load_settings(Example, "example", environ={}, file=write(tmp_path, "port = = 1"))
    with pytest.raises(LimitExceeded):
        load_settings(Example, "example", environ={}, file=write(tmp_path, "#" * (SETTINGS_BYTES.value + 1)))


def test_the_report_lists_everything_and_hides_secrets() -> None:
    flags = {"folder": "f", "door_secret": "s3cret", "database_url": "postgresql://ann:pw@db/x"}
    report = {line.name: line for line in load_settings(Example, "example", environ={}, flags=flags).report()}
    assert list(report) == [field.name for field in msgspec.structs.fields(Example)]
    assert report["door_secret"].value == "(hidden)"
    assert report["database_url"].value == "postgresql://ann:(hidden)@db/x"
    assert "pw@" not in str(report)


def test_written_settings_read_back(tmp_path: Path) -> None:
    settings = Example(Path('a "quoted" \\ folder\n杏林\x7f'), 1, ("a", "b,c"), False, 0.1, None, "sqlite:///x")
    file = write(tmp_path, settings_file_text(settings, heading="made by a test\ntwo lines"))
    assert load_settings(Example, "example", environ={}, file=file).settings == settings
