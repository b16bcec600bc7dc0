from __future__ import annotations

from pathlib import Path

import pytest
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_training import labelled

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.tasks.predict import Classifier
from xadapt.tasks.predict.classifier import classes


def test_each_text_has_its_own_composition(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "classification", 2)
    published(tmp_path / "de", encoder, seed=1)
    given = (f"m={tmp_path}/m", f"de={tmp_path}/de")
    classifier = Classifier.load(
        base, *given, compose="by_language(de = de + m, * = m)", dtype="float32"
    )
    texts = [row.text for row in labelled(24, seed=8)]
    tags = ["de", "sw"] * 12
    mixed = classifier.classify(texts, tags)
    apart = [classifier.classify([t], [g])[0] for t, g in zip(texts, tags, strict=True)]
    assert mixed == apart and set(mixed) <= {"x", "y", "z"}
    assert mixed != classifier.classify(texts, ["de"] * 24)
    rows = [parse("de + m"), parse("m")] * 12
    assert classifier.classify(texts, compositions=rows) == mixed
    bare = classes(classifier.adapted.encoder, classifier.head, texts)
    assert classifier.classify(texts, compositions=[None] * 24) == bare != mixed


def test_one_text_has_one_class(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    published(tmp_path / "m", Encoder.from_pretrained(base, dtype="float32"), "classification", 2)
    classifier = Classifier.load(base, tmp_path / "m", dtype="float32")
    texts = ["die katze sitzt", "ein hund"]
    assert classifier.classify(texts[0]) == classifier.classify([texts[0]])[0]
    assert classifier.classify(texts, "de") == classifier.classify(texts, ["de", "de"])
    with pytest.raises(UserError, match="text 0 is int"):
        classifier.classify([3])  # type: ignore[list-item]
