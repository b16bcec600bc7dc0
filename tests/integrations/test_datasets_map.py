"""An encoder for ``Dataset.map`` in two processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import TEXTS
from tiny_server import make_shop

from xadapt.inference.encoder_spec import EncoderSpec
from xadapt.integrations.datasets_map import BatchEncoder

datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize("processes", [None, 2])
def test_vectors_are_those_of_home(tmp_path: Path, processes: int | None) -> None:
    shop = make_shop(tmp_path)
    spec = EncoderSpec(shop.base, shop.given("de", "sw"), None, "float32", "cpu")
    tags = ["de", "sw", None] * 2 + ["de"]
    rows = datasets.Dataset.from_dict({"text": list(TEXTS), "lang": tags})
    encode = BatchEncoder(spec, language_column="lang")
    made = rows.map(encode, batched=True, with_rank=True, batch_size=3, num_proc=processes)
    np.testing.assert_allclose(made["vector"], spec().encode(list(TEXTS), tags), atol=1e-5)
    assert encode.__getstate__()["_model"] is None
