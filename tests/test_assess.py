from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_commands import Place, good, place  # noqa: F401
from tiny_models import tiny_encoder
from tiny_training import module_for, pairs, shaken

from xadapt import assess
from xadapt.backbones.encode import encode
from xadapt.backbones.encoder import Encoder
from xadapt.errors import UserError
from xadapt.evaluate.tfidf import NAME as TFIDF


def test_the_sides_are_the_base_and_the_module() -> None:
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    bench = assess.Bench(encoder)
    texts = [pair.text for pair in pairs(8)]
    bare = encode(encoder, texts).numpy()
    through = bench.through(module)(texts)
    assert np.abs(through - bare).max() > 1e-3
    np.testing.assert_array_equal(bench.bare(texts), bare)
    np.testing.assert_array_equal(encode(encoder, texts).numpy(), bare)  # off again
    assert bench.through(module) is bench.through(module)
    bench.close()
    assert not encoder.model._forward_hooks
    assert not any(m._forward_hooks for m in encoder.model.modules())


def test_no_texts_go_through_a_module() -> None:
    encoder = tiny_encoder("bert")
    assert assess.Bench(encoder).through(module_for(encoder))([]).shape == (0, 32)


def test_a_module_without_effect_scores_as_the_base() -> None:
    encoder = tiny_encoder("bert")
    result = assess.judge_bitext(assess.Bench(encoder), pairs(20), module_for(encoder), resamples=9)
    rows = {row.system: row for row in result.rows}
    assert list(rows) == [assess.BASE, assess.LANGUAGE, assess.BOTH]
    for name in (assess.LANGUAGE, assess.BOTH):
        assert rows[name].accuracy == rows[assess.BASE].accuracy
        assert rows[name].pivot_kept == pytest.approx(1, abs=1e-6)


def test_controls_add_tfidf_and_the_twin() -> None:
    encoder = tiny_encoder("bert")
    module, twin = shaken(module_for(encoder), 1), shaken(module_for(encoder), 2)
    bench = assess.Bench(encoder)
    labels = [(str(i), p.text, p.pivot) for i, p in enumerate(pairs(20))]
    result = assess.judge_entities(
        bench, labels[:9], labels[9:], module, twin, controls=True, resamples=9
    )
    assert [row.system for row in result.rows] == [
        assess.BASE,
        assess.LANGUAGE,
        assess.BOTH,
        assess.TWIN,
        TFIDF,
    ]
    assert result.pool == "all"


def test_open_both_finds_the_twin_only_when_asked(place: Place, tmp_path: Path) -> None:  # noqa: F811
    good(*place.train(tmp_path / "m", "--controls"))
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32")
    module, twin = assess.open_both(str(tmp_path / "m"), encoder, True)
    assert module is not None and twin is not None
    assert not all(
        np.array_equal(a.detach(), b.detach())
        for a, b in zip(module.parameters(), twin.parameters(), strict=True)
    )
    assert assess.open_both(str(tmp_path / "m"), encoder, False)[1] is None
    assert assess.open_both(None, encoder, True) == (None, None)
    (tmp_path / "m" / "controls" / "shuffled.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError):
        assess.open_both(str(tmp_path / "m"), encoder, True)


def test_graph_labels_split_by_entity() -> None:
    test, rest = assess.graph_labels("sw", "en", "all")
    assert not {e for e, _, _ in test} & {e for e, _, _ in rest}
    assert all(text != pivot for _, text, pivot in test)
    assert assess.graph_labels("sw", "en", "test") == (test, [])
    with pytest.raises(UserError):
        assess.graph_labels("xh-Cyrl", "en", "all")
