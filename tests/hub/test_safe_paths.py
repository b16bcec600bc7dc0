from __future__ import annotations

from pathlib import Path

import pytest

from xadapt.core.errors import UserError
from xadapt.hub.safe_paths import file_inside, folder_inside, has_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "a" / "b").mkdir(parents=True)
    (tmp_path / "in" / "a" / "b" / "f").write_text("own")
    (tmp_path / "out" / "b").mkdir(parents=True)
    (tmp_path / "out" / "b" / "f").write_text("other")
    return tmp_path / "in"


def test_files_and_folders_inside_are_found(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    for home in (folder, tmp_path / "link"):
        assert file_inside(home, "a/b/f").read_text() == "own"
        assert folder_inside(home, "a/b") == home / "a" / "b"
    assert has_file(folder, "a/b/f") and not has_file(folder, "a/b/g")


@pytest.mark.parametrize("name", ["", "..", "../out/b/f", "a/../a/b/f", "/etc/passwd", "a\\b", "."])
def test_names_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(UserError):
        file_inside(folder, name)


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/f"])
@pytest.mark.parametrize("relative", [True, False])
def test_no_part_of_the_way_may_be_a_link_out(folder: Path, link: str, relative: bool) -> None:
    place = folder / link
    place.rename(folder.parent / "moved")
    steps = "../" * (link.count("/") + 1)
    target = folder.parent / "out" / link.removeprefix("a").removeprefix("/")
    place.symlink_to(steps + str(target.relative_to(folder.parent)) if relative else target)
    assert place.exists()
    with pytest.raises(UserError, match="link that leaves the folder"):
        file_inside(folder, "a/b/f")
    if link != "a/b/f":
        with pytest.raises(UserError, match="link that leaves the folder"):
            folder_inside(folder, "a/b")


def test_links_to_nothing_and_to_themselves_and_folders_are_no_files(folder: Path) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "gone").symlink_to(folder / "nowhere")
    for name in ("loop", "gone", "a"):
        assert has_file(folder, name)
        with pytest.raises(UserError, match="no file"):
            file_inside(folder, name)


def test_only_the_blobs_of_the_same_repository_are_followed(folder: Path, tmp_path: Path) -> None:
    for repository in ("mine", "other"):
        (tmp_path / repository / "blobs").mkdir(parents=True)
        (tmp_path / repository / "blobs" / "1").write_text(repository)
    snapshot = tmp_path / "mine" / "snapshots" / "abc"
    (snapshot / "modules" / "de").mkdir(parents=True)
    (snapshot / "f").symlink_to("../../blobs/1")
    (snapshot / "modules" / "de" / "f").symlink_to("../../../../blobs/1")
    (snapshot / "g").symlink_to("../../../other/blobs/1")
    (snapshot / "h").symlink_to(folder / "a" / "b" / "f")
    (snapshot / "k").symlink_to("../../blobs")
    assert file_inside(snapshot, "f").read_text() == "mine"
    assert file_inside(snapshot, "modules/de/f").read_text() == "mine"
    assert file_inside(snapshot / "modules" / "de", "f").read_text() == "mine"
    for name in ("g", "h", "k/1"):
        with pytest.raises(UserError, match="link that leaves the folder"):
            file_inside(snapshot, name)
