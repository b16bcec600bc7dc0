from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.hub.checks import FAILED
from xadapt.hub.composition_file import write_composition
from xadapt.hub.folder import write_folder
from xadapt.hub.published_files import published_files
from xadapt.hub.staging import staged, write_staged
from xadapt.hub.verified_files import verify_files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("made")
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    write_folder(work / "sw", module, encoder, manifest_of(encoder, module), verify={})
    write_composition(work / "both", parse("sw"), {"sw": work / "sw"})
    return work


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["sw", "both"])
def test_an_edited_card_goes_up_with_its_own_hash(made: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(made / name, tmp_path / name)
    with staged(published_files(folder)) as ready:
        assert content(ready.folder) == content(folder)  # nothing was edited
        assert {n: p.read_bytes() for n, p in ready.files.items()} == content(folder)
        place = ready.folder
    assert not place.exists()
    card = folder / "README.md"
    card.write_text(card.read_text(encoding="utf-8") + "\nMore.\n", encoding="utf-8")
    before = content(folder)
    assert [one.name for one in verify_files(folder) if one.status == FAILED] == ["README.md"]
    with pytest.warns(match="edited"):
        own = published_files(folder)
    with staged(own) as ready:
        assert all(one.status != FAILED for one in verify_files(ready.folder))
        assert (ready.folder / "README.md").read_bytes() == before["README.md"]
    assert content(folder) == before


def test_a_signature_has_to_be_of_these_files(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "sw", tmp_path / "sw")
    (folder / "model.sig").write_text("{}")
    with (
        pytest.raises(UserError, match=r"no signature of a module.*Sign anew \(--sign KEY\)"),
        staged(published_files(folder)),
    ):
        pass
    seen = []

    def sign(place: Path, former: bytes | None) -> bytes:
        seen.append((sorted(content(place)), former))
        return b"{}"

    with pytest.raises(UserError, match="Sign anew"):
        write_staged(published_files(folder), tmp_path / "out", sign, b"old")
    assert seen == [(sorted(content(made / "sw")), b"old")]  # without the old signature


def test_the_user_s_own_files_are_never_written_through(made: Path) -> None:
    """Links to the same bytes are safe: what is rewritten is a copy."""
    before = content(made / "sw")
    with staged(published_files(made / "sw")) as ready:
        for name in ("xadapt.json",):
            (ready.folder / name).write_text("x")
    assert content(made / "sw") == before
