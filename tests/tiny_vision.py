"""A tiny vision model with random weights, and pictures, shared by tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import ViTConfig, ViTImageProcessor, ViTModel


def vision_folder(folder: Path) -> Path:
    """A ViT of one layer on pictures of 32 x 32."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=8,
    )  # fmt: skip
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def picture(path: Path, seed: int, noise: int = 0) -> Path:
    """A picture of coloured squares; with noise, another photograph of the same."""
    squares = np.random.default_rng(seed).integers(0, 255, (4, 4, 3))
    pixels = np.kron(squares, np.ones((10, 10, 1)))
    if noise:
        pixels = pixels + np.random.default_rng(noise).normal(scale=10, size=pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path
