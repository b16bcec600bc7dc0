from __future__ import annotations

import pytest
from tiny_vision import picture, vision_folder

from xadapt.core.errors import UserError
from xadapt.pipelines.kg_images import image_vectors
from xadapt.tasks.kg.image_vectors import read_image_vectors


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(vision_folder(tmp_path_factory.mktemp("vision") / "vit"))


def table_of(folder, rows):
    path = folder / "images.tsv"
    path.write_text("".join(f"{one}\t{file}\n" for one, file in rows), encoding="utf-8")
    return path


def test_images_become_vectors_with_ids(model, tmp_path):
    for number in range(3):
        picture(tmp_path / "photos" / f"{number}.png", number)
    (tmp_path / "photos" / "bad.png").write_text("x")
    rows = [("a", "photos/0.png"), ("b", "photos/bad.png"), ("c", "photos/1.png"),
            ("a", "photos/2.png")]  # fmt: skip
    out, notes = tmp_path / "out.safetensors", []
    made = image_vectors(table_of(tmp_path, rows), model, out, batch=2, report=notes.append)
    assert made.to_dict() == {"images": 3, "left_out": 1, "dim": 16}
    assert notes == ["bad.png is left out: UnidentifiedImageError"]
    ids, vectors = read_image_vectors(out)
    assert ids == ["a", "c", "a"] and vectors.shape == (3, 16)
    whole = image_vectors(table_of(tmp_path, rows), model, tmp_path / "b.safetensors", batch=9)
    assert whole.images == 3
    assert read_image_vectors(whole.out)[1] == pytest.approx(vectors, abs=1e-5)


def test_mistakes_are_one_line_and_leave_nothing(model, tmp_path):
    out = tmp_path / "out.safetensors"
    (tmp_path / "bad.png").write_text("x")
    outside = table_of(tmp_path, [("a", "../other.png")])
    for rows, name, named, said in (
        ([("a", "../other.png")], out, model, "not in the folder"),
        ([("a", "bad.png")], out, model, "no image could be opened"),
        ([("a", "bad.png")], tmp_path / "out.npy", model, "with the ending .safetensors"),
        ([("a", "bad.png")], out, str(tmp_path), "can't be loaded"),
    ):
        with pytest.raises(UserError) as fault:
            image_vectors(table_of(tmp_path, rows), named, name)
        assert said in str(fault.value) and not out.exists()
        assert not out.with_suffix(".txt").exists()
    assert outside.exists()
