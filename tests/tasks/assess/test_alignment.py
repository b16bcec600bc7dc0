from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_commands import Place, good
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_training import hooks_do_nothing, module_for, pairs, shaken
from torch import nn

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.tasks.assess import alignment


def test_the_sides_are_the_base_and_the_module() -> None:
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    bench = alignment.Bench(encoder)
    texts = [pair.text for pair in pairs(8)]
    bare = encode(encoder, texts).numpy()
    through = bench.through(module)(texts)
    assert np.abs(through - bare).max() > 1e-3
    np.testing.assert_array_equal(bench.bare(texts), bare)
    np.testing.assert_array_equal(encode(encoder, texts).numpy(), bare)  # off again
    assert bench.through(module) is bench.through(module)
    bench.close()
    assert hooks_do_nothing(encoder)


def test_no_texts_go_through_a_module() -> None:
    encoder = tiny_encoder("bert")
    assert alignment.Bench(encoder).through(module_for(encoder))([]).shape == (0, 32)


def test_a_module_without_effect_scores_as_the_base() -> None:
    encoder = tiny_encoder("bert")
    result = alignment.judge_bitext(
        alignment.Bench(encoder), pairs(20), module_for(encoder), resamples=9
    )
    rows = {row.system: row for row in result.rows}
    assert list(rows) == [alignment.BASE, alignment.LANGUAGE, alignment.BOTH]
    for name in (alignment.LANGUAGE, alignment.BOTH):
        assert rows[name].accuracy == rows[alignment.BASE].accuracy
        assert rows[name].pivot_kept == pytest.approx(1, abs=1e-6)


def test_controls_add_tfidf_and_the_twin() -> None:
    encoder = tiny_encoder("bert")
    module, twin = shaken(module_for(encoder), 1), shaken(module_for(encoder), 2)
    bench = alignment.Bench(encoder)
    labels = [(str(i), p.text, p.pivot) for i, p in enumerate(pairs(20))]
    result = alignment.judge_entities(
        bench, labels[:9], labels[9:], module, twin, controls=True, resamples=9
    )
    assert [row.system for row in result.rows] == [
        alignment.BASE,
        alignment.LANGUAGE,
        alignment.BOTH,
        alignment.TWIN,
        TFIDF,
    ]
    assert result.pool == "all"


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({"rank": 2, "layers": [2, 4]}, 2),
        ({"kind": "none", "layers": "all"}, 4),
        ({"rank": 2}, None),
        ({"kind": "bottleneck", "width": 4, "layers": [3, 4], "invertible": "nice"}, None),
    ],
)
def test_base_module_and_twin_share_what_lies_below_the_modules(
    family: str,
    options: dict[str, Any],
    start: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path))
    encoder, texts = tiny_encoder(family), list(dict.fromkeys(pair.text for pair in pairs(20)))
    module, twin = (shaken(module_for(encoder, **options), seed, 0.1) for seed in (1, 2))
    expected = [alone(encoder, one, texts) for one in (None, module, twin)]
    counts, n = Counts(monkeypatch), len(texts)

    def read(*modules: nn.Module) -> dict[int, int]:
        bench = alignment.Bench(encoder)
        systems = bench.systems(*modules)
        del systems[alignment.LANGUAGE]
        for system, whole in zip(systems.values(), expected, strict=False):
            got = system.language(texts)
            np.testing.assert_allclose(got, whole, rtol=0, atol=1e-5 * np.abs(whole).max())
        bench.close()
        return counts.taken()

    assert read(module, twin) == ({0: 3 * n} if start is None else {0: n, start: 3 * n})
    # The base's vectors are on disk now: the other two share with each other, and one with nobody.
    assert read(module, twin) == ({0: 2 * n} if start is None else {0: n, start: 2 * n})
    assert read(module) == {0: n}
    assert not (tmp_path / "prefix").exists()


def alone(encoder: Encoder, module: nn.Module | None, texts: list[str]) -> NDArray[np.float32]:
    """Vectors through a module, with nothing shared."""
    if module is None:
        return encode(encoder, texts).numpy()
    return encode(encoder, texts, rows=Activation.of(ActiveAdapter(encoder, module))).numpy()


def test_open_both_finds_the_twin_only_when_asked(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "m", "--controls"))
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32")
    module, twin = alignment.open_both(str(tmp_path / "m"), encoder, True)
    assert module is not None and twin is not None
    assert not all(
        np.array_equal(a.detach(), b.detach())
        for a, b in zip(module.parameters(), twin.parameters(), strict=True)
    )
    assert alignment.open_both(str(tmp_path / "m"), encoder, False)[1] is None
    assert alignment.open_both(None, encoder, True) == (None, None)
    (tmp_path / "m" / "controls" / "shuffled.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError):
        alignment.open_both(str(tmp_path / "m"), encoder, True)


def test_graph_labels_split_by_entity() -> None:
    test, rest = alignment.graph_labels("sw", "en", "all")
    assert not {e for e, _, _ in test} & {e for e, _, _ in rest}
    assert all(text != pivot for _, text, pivot in test)
    assert alignment.graph_labels("sw", "en", "test") == (test, [])
    with pytest.raises(UserError):
        alignment.graph_labels("xh-Cyrl", "en", "all")
