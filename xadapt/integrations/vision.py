"""Vectors of images by any vision model of transformers: ViT, DINOv2, CLIP, SigLIP and others.

Only safetensors are read, and no code from the Hub is run. Pillow opens the images, and refuses
those with more pixels than it thinks safe.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoImageProcessor, AutoModel

from xadapt.core.errors import UserError

PIXELS = 2**26
"""Most pixels of an image that is opened."""


class VisionModel:
    """A frozen vision model.

    Args:
        name: A folder, or an id on the Hub.

    Raises:
        UserError: If it can't be loaded, or is no model of images.
    """

    def __init__(self, name: str) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.processor: Any = AutoImageProcessor.from_pretrained(name)
                model: Any = AutoModel.from_pretrained(name, use_safetensors=True)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
            raise UserError(
                f"this vision model can't be loaded ({first})", where=name,
                todo="Name a folder or an id of the Hub with a vision model of transformers",
            ) from None  # fmt: skip
        self.model = model.eval().requires_grad_(False)

    @torch.no_grad()
    def encode(self, images: Sequence[Any]) -> NDArray[np.float32]:
        """Return the vectors of some images ``(images, dim)``.

        A model of images and texts gives the vectors that it compares with texts. Another model
        gives its pooled output, or the mean of its last states if it has none.
        """
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        if hasattr(self.model, "get_image_features"):
            found = self.model.get_image_features(pixel_values=pixels)
        else:
            found = self.model(pixel_values=pixels)
        if not isinstance(found, torch.Tensor):
            pooled = getattr(found, "pooler_output", None)
            found = found.last_hidden_state if pooled is None else pooled
            if pooled is None:
                found = found.flatten(2).transpose(1, 2) if found.dim() == 4 else found
                found = found.mean(dim=1)
        made: NDArray[np.float32] = found.flatten(1).float().numpy()
        return made


def open_images(
    paths: Sequence[Path], report: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[int, Any]]:
    """Yield the place and the image of each file that can be opened; report the others.

    Args:
        paths: The files.
        report: Receives a line for each file that is left out.
    """
    from PIL import Image, UnidentifiedImageError

    for place, path in enumerate(paths):
        try:
            with Image.open(path) as image:
                if image.width * image.height > PIXELS:
                    report(f"{path.name} is left out: it has more than {PIXELS:,} pixels")
                    continue
                yield place, image.convert("RGB")
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError,
                Image.DecompressionBombError) as error:  # fmt: skip
            report(f"{path.name} is left out: {type(error).__name__}")
