from __future__ import annotations

import json

from tiny_commands import good, xadapt
from tiny_vision import picture, vision_folder
from twin_graphs import twins, write_twins


def test_images_are_encoded_and_fused(tmp_path):
    left, right, links = write_twins(tmp_path, size=120)
    _, _, known = twins(120)
    lines = []
    for number, pair in enumerate(known.pairs):
        for side, entity in enumerate(pair):
            picture(tmp_path / "photos" / f"{entity}.png", number, noise=2 * number + side + 1)
            lines.append(f"{entity}\tphotos/{entity}.png\n")
    table = tmp_path / "images.tsv"
    table.write_text("".join(lines), encoding="utf-8")
    model, out = vision_folder(tmp_path / "vit"), tmp_path / "images.safetensors"
    given = ("kg", "images", "--images", table, "--model", model, "--out", out)
    done = good(*given, "--json", tmp_path / "images.json")
    assert "240 images of 16 numbers" in done.out
    assert json.loads((tmp_path / "images.json").read_text())["images"] == 240
    again = xadapt(*given)
    assert again.code == 2 and "such a file already" in again.err
    shape = tmp_path / "shape"
    sides = ("--left", left, "--right", right, "--links", links)
    good("kg", "structure", *sides, "--dim", 32, "--rounds", 0, "--out", shape)
    pairs = tmp_path / "pairs.tsv"
    done = good("kg", "align", *sides, "--modalities", "structure,image", "--structure", shape,
                "--images", out, "--impute", "mean", "--out", pairs,
                "--json", tmp_path / "pairs.json")  # fmt: skip
    assert "fused" in done.out
    value = json.loads((tmp_path / "pairs.json").read_text(encoding="utf-8"))
    assert value["fusion"]["dev_links"] == 30 and value["views"] == ["structure", "image", "fused"]
    for more, said in (
        (("--modalities", "image"), "image needs --images"),
        (("--modalities", "image", "--images", tmp_path / "none.safetensors"), "no such file"),
    ):
        done = xadapt("kg", "align", *sides, *more, "--out", tmp_path / "new.tsv")
        assert done.code == 2 and said in done.err and "Traceback" not in done.err
        assert not (tmp_path / "new.tsv").exists()
