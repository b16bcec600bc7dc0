from __future__ import annotations

import warnings

import pytest
from tiny_folders import manifest_of, random_module, without_hashes
from tiny_models import tiny_encoder

from xadapt.core import files
from xadapt.core.errors import UserError
from xadapt.hub import renewing
from xadapt.hub.folder import write_folder
from xadapt.hub.integrity import IntegrityNotice
from xadapt.hub.opening import open_folder
from xadapt.hub.renewing import renew


@pytest.fixture
def folder(tmp_path):
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    write_folder(tmp_path / "m", module, encoder, manifest_of(encoder, module), verify={})
    return tmp_path / "m"


def whole(folder):
    """The folder opens without a notice."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", IntegrityNotice)
        return open_folder(folder)[0]


def test_files_fields_card_and_hashes_are_renewed(folder):
    before = whole(folder)
    made, renewed = renew(folder, {"evidence.json": b"{}"}, licence="mit")
    assert renewed and made == whole(folder) and made.licence == "mit"
    assert set(made.integrity.files) == {*before.integrity.files, "evidence.json"}
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: mit" in text and "`evidence.json`" in text
    assert made.model_copy(update={"licence": before.licence, "integrity": before.integrity}) == (
        before
    )
    again, _ = renew(folder, {"evidence.json": b"{}"}, licence="mit")
    assert again == made


def test_the_folder_opens_after_every_step_of_a_run_that_is_cut(folder, monkeypatch):
    """Each atomic write is the last one, in turn; what is there then loads without a notice."""
    real, steps = files.atomic_file, 0
    for last in range(6):
        count = 0

        def stopping(path, last=last):
            nonlocal count
            count += 1
            if count > last:
                raise KeyboardInterrupt
            return real(path)

        monkeypatch.setattr(renewing, "atomic_file", stopping)
        monkeypatch.setattr(files, "atomic_file", stopping)
        try:
            renew(folder, {"evidence.json": f"{last}".encode()}, licence="mit")
        except KeyboardInterrupt:
            steps += 1
        monkeypatch.setattr(renewing, "atomic_file", real)
        monkeypatch.setattr(files, "atomic_file", real)
        whole(folder)
    assert steps == 4  # manifest, file, card, manifest
    made, _ = renew(folder, {"evidence.json": b"done"}, licence="mit")
    assert made.integrity.files["evidence.json"].bytes == 4 and whole(folder) == made


def test_a_changed_folder_and_one_without_hashes_are_left_alone(folder):
    for change, said in (
        (lambda: (folder / "adapter_config.json").write_text("{}"), "not what was published"),
        (lambda: without_hashes(folder), "before xadapt kept hashes"),
    ):
        change()
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with pytest.raises(UserError, match=said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            renew(folder, {"evidence.json": b"{}"})
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_copy_in_the_hubs_cache_is_left_alone(folder, tmp_path):
    place = tmp_path / "models--a--b" / "snapshots"
    place.mkdir(parents=True)
    folder.rename(place / "abc")
    with pytest.raises(UserError, match="a copy that is not to be written to"):
        renew(place / "abc", {})


def test_an_absent_folder_is_not_made(tmp_path):
    with pytest.raises(UserError, match="no such module folder"):
        renewing.require_own_folder(tmp_path / "none")
    assert not (tmp_path / "none").exists()
