"""sources.toml: strict, in one piece, and written as it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.node.intake.sources import (
    BadSources,
    Counted,
    Dicom,
    FhirServer,
    Files,
    Folder,
    Mllp,
    Smart,
    SourceFile,
    Sql,
    Tls,
    Web,
    parse_sources,
    read_sources,
    write_source,
)

REFUSED = {
    "not TOML": "[[source",
    "unknown key": '[[source]]\nname = "a"\nmlpp = { port = 1 }',
    "no way in": '[[source]]\nname = "a"',
    "two ways in": '[[source]]\nname = "a"\nmllp = { port = 1 }\nfiles = {}',
    "a path for a mapping": '[[source]]\nname = "a"\nfiles = {}\nmapping = "../x.toml"',
    "a bad name": '[[source]]\nname = "A b"\nfiles = {}',
    "the same name twice": '[[source]]\nname = "a"\nfiles = {}\n[[source]]\nname = "a"\nfiles = {}',
    "a newer version": "version = 2",
    "neither table nor query": '[[source]]\nname = "a"\nsql = { url_file = "u" }',
    "a filter of no type": '[[source]]\nname = "a"\n[source.web]\nport = 1\nsecret_file = "s"\n'
    '[source.web.subscription]\nendpoint = "https://n/fhir"\ntopic = "http://t/x"\n'
    'filters = [{ resource = "lab", filter_parameter = "code", value = "1" }]',
    "a comparator that is none": '[[source]]\nname = "a"\n[source.web]\nport = 1\nsecret_file = "s"\n'
    '[source.web.subscription]\nendpoint = "https://n/fhir"\ntopic = "http://t/x"\n'
    'filters = [{ resource = "Observation", filter_parameter = "code", value = "1", comparator = "over" }]',
    "a port that is no number": '[[source]]\nname = "a"\nmllp = { port = "x" }',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_a_source_is_refused(text: str) -> None:
    with pytest.raises(BadSources):
        parse_sources(text)


def test_the_nearest_key_is_named() -> None:
    with pytest.raises(BadSources) as caught:
        parse_sources(REFUSED["unknown key"])
    assert "mllp" in caught.value.remedy


def test_sources_are_written_as_they_are_read(tmp_path: Path) -> None:
    tls = Tls("a.crt", "a.key", clients="ca.pem")
    chosen = (
        SourceFile("his", mllp=Mllp(2575, peers=("10.0.0.0/8",), tls=tls), charset="gb18030"),
        SourceFile("pacs", dicom=Dicom(11112, mirror=True)),
        SourceFile("lab", sql=Sql("lab.url", query='SELECT "a"\nFROM t'), mapping="lab.toml"),
        SourceFile("his-db", sql=Sql("u", "t", counts=(Counted("admission", "入院", "no"), Counted("report", "d")))),
        SourceFile("ehr", fhir=FhirServer("https://e/fhir", smart=Smart("x", "https://e/token", "ehr.key"))),
        SourceFile("push", web=Web(8443, "push.secret", server="ehr")),
        SourceFile("drop", folder=Folder("/srv/drop 目录"), enabled=False),
    )
    for source in chosen:
        write_source(tmp_path, source, mapping="version = 1\n" if source.mapping else "")
    assert read_sources(tmp_path) == chosen
    assert (tmp_path / "sources.toml.before").exists()
    assert chosen[2].source(tmp_path).mapping == "version = 1\n"


def test_a_missing_mapping_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSources, match="mappings/x.toml"):
        SourceFile("a", files=Files(), mapping="x.toml").source(tmp_path)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_survives(zone: str, path: str) -> None:
    from xinglin.node.intake.sources import _toml

    source = SourceFile("a", folder=Folder(path), zone=zone)
    assert parse_sources(_toml((source,))) == (source,)
