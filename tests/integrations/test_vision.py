from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_vision import picture, vision_folder
from transformers import AutoImageProcessor, AutoModel, CLIPConfig, CLIPModel, ViTImageProcessor

from xadapt.core.errors import UserError
from xadapt.integrations import vision
from xadapt.integrations.vision import VisionModel, open_images


def test_vectors_are_the_pooled_output_of_transformers(tmp_path):
    folder = vision_folder(tmp_path / "vit")
    images = [Image.open(picture(tmp_path / f"{i}.png", i)) for i in range(3)]
    found = VisionModel(str(folder)).encode(images)
    pixels = AutoImageProcessor.from_pretrained(folder)(images=images, return_tensors="pt")
    with torch.no_grad():
        wanted = AutoModel.from_pretrained(folder)(**pixels).pooler_output.numpy()
    assert found.shape == (3, 16) and found == pytest.approx(wanted, abs=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-4


def test_a_model_of_images_and_texts_gives_what_it_compares(tmp_path):
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
             "num_attention_heads": 2}  # fmt: skip
    config = CLIPConfig(
        text_config={**small, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1},
        vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=6,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    image = Image.open(picture(tmp_path / "a.png", 1))
    assert VisionModel(str(tmp_path)).encode([image]).shape == (1, 6)


def test_what_is_no_vision_model_is_one_line(tmp_path):
    with pytest.raises(UserError, match="can't be loaded") as fault:
        VisionModel(str(tmp_path))
    assert "\n" not in str(fault.value)


def test_images_that_cannot_be_opened_are_reported(tmp_path, monkeypatch):
    good = picture(tmp_path / "a.png", 1)
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    notes: list[str] = []
    found = dict(open_images([bad, good, text, tmp_path / "none.png"], notes.append))
    assert list(found) == [1] and found[1].mode == "RGB" and found[1].size == (40, 40)
    assert [note.split(" ")[0] for note in notes] == ["bad.png", "text.png", "none.png"]
    monkeypatch.setattr(vision, "PIXELS", 100)
    assert not dict(open_images([good], notes.append)) and "pixels" in notes[-1]
