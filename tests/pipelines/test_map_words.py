from __future__ import annotations

import numpy as np
import pytest
from tiny_models import TEXTS, tiny_folder
from tiny_training import pairs

import xadapt
from xadapt.backbones.encoder.encode import encode as encode_bare
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub.opening import read_manifest
from xadapt.maps.embedding_map import EmbeddingMap
from xadapt.pipelines.map_run import map_embeddings

WORDS = [
    "a",
    "short",
    "one",
    "of",
    "some",
    "words",
    "to",
    "fill",
    "the",
    "batch",
    "more",
    "seven",
    "sentence",
    "with",
    "other",
]
PAIRS = [(word, word[::-1]) for word in WORDS]
LINES = [" ".join(WORDS[i : i + 5]) for i in range(10)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(tiny_folder(tmp_path_factory.mktemp("base"), "bert"))


@pytest.fixture(scope="module")
def mapped(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("mapped") / "de"
    mirrored = [" ".join(word[::-1] for word in line.split()) for line in LINES]
    result = map_embeddings(LINES, mirrored, PAIRS, base=base, lang="deu", out=out, dev=0)
    return out, result


def test_a_map_and_a_module_that_loads_and_acts_on_its_language_alone(base, mapped):
    out, result = mapped
    manifest = read_manifest(out / "module")
    assert manifest.module.kind == "linear_map" and manifest.languages == ["de"]
    assert manifest.pivot == "en" and {one.task for one in manifest.evidence} == {
        "word_translation"
    }
    assert manifest.recipe["map"]["method"] == "procrustes"
    adapted = xadapt.load(base, out / "module", dtype="float32")
    vectors = adapted.encode(list(TEXTS[:6]), ["de", "en"] * 3)
    bare = encode_bare(adapted.encoder, list(TEXTS[:6])).numpy()
    own = EmbeddingMap.from_pretrained(out / "map")
    assert np.allclose(vectors[1::2], bare[1::2], atol=1e-5)
    before, after = own.source.means[0].numpy(), own.target.means[0].numpy()
    assert np.allclose(vectors[::2], (bare[::2] - before) @ own.W.T + after, atol=1e-4)
    assert own.facts["layer"] == adapted.encoder.depth and result.folder == out


def test_the_card_is_that_of_a_module(mapped):
    card = (mapped[0] / "module" / "README.md").read_text(encoding="utf-8")
    assert "linear_map" in card


def test_it_is_composed_and_evaluated_as_others(base, mapped, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{line}\t{line[::-1]} {i}\n" for i, line in enumerate(LINES)))
    result = xadapt.evaluate(
        "bitext", base=base, data=str(pairs), module=str(mapped[0] / "module"), lang="de"
    )
    assert len(result.rows) >= 2
    adapted = xadapt.load(base, f"one={mapped[0] / 'module'}", compose="mix(one:.5)")
    assert np.isfinite(adapted.encode(["words"])).all()


def test_a_recipe_trains_a_module_of_the_same_kind_twice_alike(base, tmp_path):
    data = [(pair.pivot, pair.text) for pair in pairs(40)]
    given = {"base": base, "data": data, "lang": "de", "rank": 4, "batch_size": 8, "dev": None}
    given["settings"] = "dtype=float32"
    one, other = (
        xadapt.train("linear_map", out=tmp_path / name, show=False, **given) for name in "ab"
    )
    assert one.manifest.module.kind == "linear_map" and one.manifest.integrity is not None
    first, second = (run.manifest.integrity.tensors for run in (one, other))
    assert first == second and one.evidence


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": 2}, "it would act after the last layer, and the map is of 2"),
        ({"layer": "embeddings"}, "the map is of embeddings"),
        ({"normalize": "unit,center,unit"}, "is not linear"),
        (
            {
                "method": "vecmap",
                "options": {"whiten": False, "src_dewhiten": None, "trg_dewhiten": None},
            },
            "vecmap maps the other language too",
        ),
    ],
)
def test_a_map_that_no_module_holds_is_written_alone_and_told(base, tmp_path, options, said):
    result = map_embeddings(
        None, None, PAIRS, base=base, lang="de", out=tmp_path / "out", dev=0, **options
    )
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["map"]
    assert said in result.notes[-1]
    EmbeddingMap.from_pretrained(tmp_path / "out" / "map")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lang": None}, "language of the module is missing"),
        ({"lang": "not a tag"}, "not a tag"),
        ({"layer": 9}, "there is no layer 9"),
        ({"dictionary": "identical_char"}, "needs two vocabularies"),
        ({"source": [3]}, "lines of text"),
        ({"source": "nowhere.txt"}, "no such file"),
        ({"base": "nowhere"}, "nowhere"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(base, tmp_path, options, said):
    given = {"source": None, "target": None, "dictionary": PAIRS, "base": base, "lang": "de"}
    with pytest.raises(UserError, match=said):
        map_embeddings(**{**given, **options}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_folder_a_loaded_base_gives_the_map(base):
    result = map_embeddings(None, None, PAIRS, base=Encoder.from_pretrained(base), lang="de", dev=0)
    assert result.folder is None and result.map.W.shape == (32, 32)
