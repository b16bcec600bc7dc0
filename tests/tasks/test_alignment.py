from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
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
from xadapt.core.files import read_json, write_json
from xadapt.data.records import LabelPair
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.tasks import alignment
from xadapt.tasks.alignment import language_of
from xadapt.tasks.protocol import Request, find
from xadapt.tasks.run_task import evaluate


def test_the_sides_are_the_base_and_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path))  # no vectors of another test's batches
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    bench = alignment.AlignmentEvaluator(encoder)
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
    assert alignment.AlignmentEvaluator(encoder).through(module_for(encoder))([]).shape == (0, 32)


def test_a_module_without_effect_scores_as_the_base() -> None:
    encoder = tiny_encoder("bert")
    result = find("bitext").compare_modules(
        alignment.AlignmentEvaluator(encoder), pairs(20), module_for(encoder), resamples=9
    )
    rows = {row.system: row for row in result.rows}
    assert list(rows) == [alignment.BASE, alignment.LANGUAGE, alignment.BOTH]
    for name in (alignment.LANGUAGE, alignment.BOTH):
        assert rows[name].scores == rows[alignment.BASE].scores
        assert rows[name].more["pivot_kept"] == pytest.approx(1, abs=1e-6)


def test_controls_add_tfidf_and_the_shuffled_pairs() -> None:
    encoder = tiny_encoder("bert")
    module, twin = shaken(module_for(encoder), 1), shaken(module_for(encoder), 2)
    bench = alignment.AlignmentEvaluator(encoder)
    labels = [LabelPair(str(i), p.text, p.pivot) for i, p in enumerate(pairs(20))]
    result = find("entities").compare_modules(
        bench, labels[:9], module, twin, controls=True, resamples=9, others=labels[9:]
    )
    assert [row.system for row in result.rows] == [
        alignment.BASE,
        alignment.LANGUAGE,
        alignment.BOTH,
        alignment.SHUFFLED,
        TFIDF,
    ]
    assert result.facts["pool"] == "all"


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
def test_base_module_and_control_share_what_lies_below_the_modules(
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
        bench = alignment.AlignmentEvaluator(encoder)
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


def test_the_control_is_opened_only_when_asked(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "m", "--controls"))
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32")
    opened = partial(alignment.open_module_and_control, encoder=encoder, tag="de")
    given = Request("base", "data", (str(tmp_path / "m"),))
    module, twin = opened(replace(given, controls=True))
    assert module is not None and twin is not None
    assert not all(
        np.array_equal(a.detach(), b.detach())
        for a, b in zip(module.parameters(), twin.parameters(), strict=True)
    )
    assert opened(given)[1] is None
    assert opened(Request("base", "data", controls=True)) == (None, None)
    (tmp_path / "m" / "controls" / "shuffled.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError):
        opened(replace(given, controls=True))


def test_the_language_is_the_one_named_or_the_module_s(de: Path, tmp_path: Path) -> None:
    assert language_of("deu") == language_of(None, [de]) == "de"
    assert language_of("sw", [de]) == "sw"
    two = Path(shutil.copytree(de, tmp_path / "two"))
    write_json(two / "xadapt.json", read_json(de / "xadapt.json") | {"languages": ["de", "nl"]})
    with pytest.raises(UserError, match=r"the module is for de, nl.*--lang"):
        language_of(None, [two])
    with pytest.raises(UserError, match=r"not known.*--lang"):
        language_of(None)


def test_the_same_table_for_names_as_for_sentences(place: Place, de: Path) -> None:
    given = {"base": str(place.base), "data": place.test, "module": de, "dtype": "float32"}
    sentences, names = evaluate("bitext", **given), evaluate("entities", **given)
    assert [row.system for row in sentences.rows] == [row.system for row in names.rows]


def test_mistakes_are_told_before_the_base_is_read(place: Place) -> None:
    for task, pool, said in (
        ("bitex", "all", "did you mean 'bitext'"),
        ("entities", "some", "pool"),
    ):
        with pytest.raises(UserError, match=said):
            evaluate(task, base="/no/such", data=place.test, lang="de", pool=pool)  # type: ignore


def composed(place: Place, *modules: Path, **more: object):
    given = {"base": str(place.base), "data": place.test, "dtype": "float32", "lang": "de"}
    return evaluate("bitext", modules=modules, **given, **more)


def test_a_composition_and_a_baseline_are_measured_like_a_module(
    place: Place, de: Path, tmp_path: Path
) -> None:
    good(*place.train(tmp_path / "other", "--set", "seed=4"))
    named = (f"de={de}", f"other={tmp_path}/other")
    alone = composed(place, de)
    whole = composed(place, *named, compose="mix(de:1, other:0)", baseline="other")
    for row, same in ((alignment.LANGUAGE, whole), (alignment.BOTH, whole)):
        assert alone[row].scores == same[row].scores
    other = composed(place, tmp_path / "other")
    for ours, theirs in (
        (alignment.LANGUAGE, alignment.BASELINE_LANGUAGE),
        (alignment.BOTH, alignment.BASELINE_BOTH),
    ):
        assert whole[theirs].scores == other[ours].scores
        for measure, gain in whole[ours].gains.items():
            expected = alone[ours].scores[measure].mean - other[ours].scores[measure].mean
            assert gain.mean == pytest.approx(expected)
    chosen = composed(place, *named, compose="by_language(de = other, * = de)")
    assert chosen[alignment.BOTH].scores == other[alignment.BOTH].scores


def test_a_composition_that_fits_nothing_is_refused(place: Place, de: Path) -> None:
    for compose, modules, said in (
        ("by_language(sw = de)", (f"de={de}",), "no module for de"),
        (None, (), "no module to measure"),
    ):
        with pytest.raises(UserError, match=said):
            composed(place, *modules, compose=compose, baseline="de")
