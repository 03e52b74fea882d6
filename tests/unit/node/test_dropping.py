"""Out of which folder a browser may connect files, and out of which not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xinglin.node.intake.dropping import DROP_FOLDER, OutsideDrop, drop_folder, dropped, in_drop
from xinglin.node.settings import NodeSettings


@pytest.fixture
def node(tmp_path: Path) -> Path:
    made = tmp_path / "node"
    made.mkdir()
    (made / "node.key").write_text("secret")
    return made


def test_files_and_folders_are_listed_with_their_sizes(node: Path) -> None:
    drop = drop_folder(node, NodeSettings())
    (drop / "his.csv").write_text("a,b\n")
    (drop / "bundles").mkdir()
    for number in range(3):
        (drop / "bundles" / f"{number}.json").write_text("{}")
    (drop / "empty").mkdir()
    (drop / ".hidden").write_text("x")
    found = {one.name: (one.files, one.size_bytes, one.is_folder) for one in dropped(drop)}
    assert found == {"his.csv": (1, 4, False), "bundles": (3, 6, True)}
    assert in_drop(drop, "bundles")[0] == drop / "bundles"
    assert drop.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../node.key", "/etc/passwd", "a/b", "a\\b", ".hidden", "mllp://:2575", "nothing", "a\0b", "a\nb"],
)
def test_what_is_no_entry_is_refused_with_the_next_step(node: Path, name: str) -> None:
    drop = drop_folder(node, NodeSettings())
    (drop / ".hidden").write_text("x")
    with pytest.raises(OutsideDrop) as refused:
        in_drop(drop, name)
    assert str(drop) in refused.value.remedy
    assert "xinglin connect" in refused.value.remedy


def test_links_lead_nowhere(node: Path) -> None:
    drop = drop_folder(node, NodeSettings())
    (drop / "link.csv").symlink_to(node / "node.key")
    (drop / "all").symlink_to(node)
    (drop / "packed").mkdir()
    (drop / "packed" / "within.csv").symlink_to(node / "node.key")
    os.link(node / "node.key", drop / "second.csv")
    os.mkfifo(drop / "pipe")
    assert dropped(drop) == ()
    for name in ("link.csv", "all", "packed", "second.csv", "pipe"):
        with pytest.raises(OutsideDrop):
            in_drop(drop, name)


def test_the_drop_folder_never_holds_the_nodes_own_files(node: Path, tmp_path: Path) -> None:
    (node / "lake").mkdir()
    for bad in (node, node.parent, Path("/"), node / "lake"):
        with pytest.raises(OutsideDrop):
            drop_folder(node, NodeSettings(drop=str(bad)))
    (node / DROP_FOLDER).symlink_to(node / "lake")
    with pytest.raises(OutsideDrop):
        drop_folder(node, NodeSettings())
    share = tmp_path / "share"
    assert drop_folder(node, NodeSettings(drop=str(share))) == share
    assert share.is_dir()
