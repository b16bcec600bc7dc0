from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Place, everything
from tiny_models import tiny_encoder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.inference.open_module import open_module


def test_open_module_reads_and_changes_nothing(place: Place, de: Path) -> None:
    before = everything(de)
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32")
    module, manifest = open_module(str(de), encoder)
    assert manifest.languages == ["de"] and module.kind == "lora"
    assert everything(de) == before


def test_another_base_is_refused_with_what_differs(de: Path) -> None:
    with pytest.raises(UserError, match=r"trained on another base: .*weights"):
        open_module(str(de), tiny_encoder("bert", seed=1))
