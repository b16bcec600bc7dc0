from __future__ import annotations

import json
from pathlib import Path

import pytest

from xadapt.core.errors import UserError
from xadapt.hub.encoder_file import (
    FILE,
    is_portable,
    read_encoder_file,
    require_unchanged,
    write_encoder_file,
)


def saved(folder: Path) -> Path:
    (folder / "modules").mkdir(parents=True)
    (folder / "modules" / "x.json").write_text("{}", encoding="utf-8")
    write_encoder_file(folder, "org/base@v1", "sha256:0")
    return folder


def test_written_and_read_again(tmp_path: Path) -> None:
    found = read_encoder_file(saved(tmp_path / "a"))
    assert found is not None and found.base == "org/base@v1" and found.fingerprint == "sha256:0"
    assert list(found.files) == ["modules/x.json"] and found.files["modules/x.json"].bytes == 2
    assert read_encoder_file(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema_version": 2, "fingerprint": "x"}',
        '{"schema_version": 1}',
        '{"schema_version": 1, "fingerprint": "x", "base": 3}',
        '{"schema_version": 1, "fingerprint": "x", "code": "run me"}',
        '{"schema_version": 1, "fingerprint": "x", "files": {"a": 1}}',
        '{"schema_version": 1, "fingerprint": "x", "fingerprint": "y"}',
        "{" * 5000,
    ],
)
def test_a_malformed_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_encoder_file(tmp_path)
    assert FILE in str(error.value) and "\n" not in str(error.value)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a")
    (folder / FILE).rename(tmp_path / "outside.json")
    (folder / FILE).symlink_to(tmp_path / "outside.json")
    with pytest.raises(UserError, match="link"):
        read_encoder_file(folder)


def test_only_what_was_saved_and_not_changed_may_be_replaced(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a")
    require_unchanged(folder)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"notes\.txt was added"):
        require_unchanged(folder)
    (folder / "notes.txt").unlink()
    (folder / "modules" / "x.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match=r"modules/x\.json was changed"):
        require_unchanged(folder)
    (folder / FILE).unlink()
    with pytest.raises(UserError, match="no saved encoder"):
        require_unchanged(folder)


@pytest.mark.parametrize("base", ["mini", "org/base", "org/base@v1", "package:x/y", "bert-base"])
def test_names_that_other_machines_understand(base: str) -> None:
    assert is_portable(base)


@pytest.mark.parametrize("base", ["/a/b", "./mini", "../x", "~/x", "C:\\x", "a/b/c", ""])
def test_names_of_this_machine(base: str) -> None:
    assert not is_portable(base)


def test_it_is_strict_json(tmp_path: Path) -> None:
    json.loads((saved(tmp_path / "a") / FILE).read_text(encoding="utf-8"))
