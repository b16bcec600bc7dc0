from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_models import tiny_encoder
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.kg_align import align_graphs
from xadapt.pipelines.kg_modalities import fuse_modalities
from xadapt.pipelines.kg_structure import train_structure
from xadapt.tasks.kg.modalities import Modality

SIZE = 120
LEFT, RIGHT, LINKS = twins(SIZE, 600)


def with_attributes(graph, share=1.0, seed=0):
    """A graph of which some entities have a value that says which they are."""
    draw = np.random.default_rng(seed)
    gold = {right: left for left, right in LINKS.pairs}
    rows = {e: (("code", f"v{gold.get(e, e)}"),) for e in graph.entities if draw.random() < share}
    return dataclasses.replace(graph, attributes=rows)


@pytest.fixture(scope="module")
def shape(tmp_path_factory):
    folder = tmp_path_factory.mktemp("structure") / "shape"
    train_structure(folder, left=LEFT, right=RIGHT, links=LINKS, dim=64, rounds=1)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Vectors of images of 80 % of the entities: those of one thing are alike."""
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(4)
    true = draw.normal(size=(SIZE, 8))
    number = {e: n for n, pair in enumerate(LINKS.pairs) for e in pair}
    ids = [e for graph in (LEFT, RIGHT) for e in graph.entities if draw.random() < 0.8]
    rows = np.stack([true[number[e]] + 0.4 * draw.normal(size=8) for e in ids])
    save_file({"vectors": torch.from_numpy(rows)}, folder / "all.safetensors")
    (folder / "all.txt").write_text("".join(f"{e}\n" for e in ids), encoding="utf-8")
    return folder / "all.safetensors"


def mrr(found, system):
    return found.result[system].scores["mrr forward"].mean


def test_four_modalities_are_fused_and_measured(shape, images, tmp_path):
    left, right = with_attributes(LEFT, 0.6), with_attributes(RIGHT, 0.7, 1)
    notes = []
    found = align_graphs(
        left, right, links=LINKS, structure=shape, images=images, impute="vae",
        base=AdaptedEncoder(tiny_encoder("bert"), {}), out=tmp_path / "pairs.tsv", csls=5,
        modalities="text,structure,attributes,image", resamples=5, report=notes.append,
    )  # fmt: skip
    systems = [row.system for row in found.result.rows]
    kinds = ["text", "structure", "attributes", "image"]
    assert systems == [*kinds, "fused", "fused, CSLS"]
    assert mrr(found, "fused") >= max(mrr(found, name) for name in kinds) - 0.01
    told = found.to_dict()["fusion"]
    assert told["dev_links"] == 30 and set(told["modalities"]) <= set(kinds)
    assert told["dev_mrr"][told["chosen"]] == max(told["dev_mrr"].values())
    assert told["modalities"]["image"]["left"] == pytest.approx(0.8, abs=0.1)
    assert len((tmp_path / "pairs.tsv").read_text().splitlines()) == SIZE + 1
    json.dumps(found.to_dict(), allow_nan=False)


def test_test_links_act_on_nothing_but_the_measures(shape, images):
    shuffled = LINKS.of("test")
    others = [b for _, b in shuffled.pairs[::-1]]
    pairs = [*LINKS.of("train", "dev").pairs,
             *zip([a for a, _ in shuffled.pairs], others, strict=True)]  # fmt: skip
    wrong = dataclasses.replace(LINKS, pairs=tuple(pairs))
    options = {"structure": shape, "images": images, "modalities": ("structure", "image"),
               "resamples": 5}  # fmt: skip
    one, two = (align_graphs(LEFT, RIGHT, links=own, **options) for own in (LINKS, wrong))
    assert list(one.rows()) == list(two.rows())
    assert mrr(two, "fused") < 0.5 < mrr(one, "fused")


def test_known_links_alone_teach_a_fusion(images):
    known = LINKS.of("train", "dev")
    left, right = with_attributes(LEFT, 0.6), with_attributes(RIGHT, 0.7, 1)
    found = align_graphs(left, right, train_links=known, images=[images, images],
                         modalities="attributes,image")  # fmt: skip
    gold = dict(LINKS.pairs)
    rows = list(found.rows())
    assert len(rows) == len(LINKS.of("test")) and found.result is None
    assert np.mean([gold[row[0]] == row[1] for row in rows]) > 0.7


def test_a_modality_that_nobody_has_counts_nothing(shape, tmp_path):
    save_file({"vectors": torch.ones(1, 4)}, tmp_path / "none.safetensors")
    (tmp_path / "none.txt").write_text("nobody\n")
    notes = []
    found = align_graphs(LEFT, RIGHT, links=LINKS, structure=shape, report=notes.append,
                         images=tmp_path / "none.safetensors", modalities="structure,image",
                         resamples=5)  # fmt: skip
    alone = align_graphs(LEFT, RIGHT, links=LINKS, structure=shape, resamples=5)
    assert "image: no entity of a side has it" in notes[0]
    assert [row[:2] for row in found.rows()] == [row[:2] for row in alone.rows()]
    with pytest.raises(UserError, match="no modality has a vector on both sides"):
        align_graphs(LEFT, RIGHT, links=LINKS, images=tmp_path / "none.safetensors",
                     modalities="image")  # fmt: skip


def test_what_is_guessed_is_left_out_where_nothing_is_missing():
    draw = np.random.default_rng(0)
    true = draw.normal(size=(SIZE, 12))
    sides = [true + 0.5 * draw.normal(size=true.shape) for _ in range(4)]
    given = {"a": Modality.of(*sides[:2]), "b": Modality.of(*sides[2:])}
    links = np.stack([np.arange(SIZE)] * 2, axis=1)
    plain, guessed = (
        fuse_modalities(given, links[:60], links[60:90], impute=how, unmapped=())
        for how in ("none", "vae")
    )
    assert (plain.view.left == guessed.view.left).all() and not guessed.guesses
    assert plain.to_dict() == guessed.to_dict()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"modalities": "text"}, "text needs --base"),
        ({"modalities": "smell"}, "unknown modality"),
        ({"modalities": "image"}, "image needs --images"),
        ({"modalities": "attributes"}, "has attributes"),
        ({"modalities": "attributes", "names": True}, "--names does nothing"),
        ({"modalities": "attributes", "structure": "x"}, "--structure does nothing here"),
        ({"modalities": "attributes", "weights": "text=1"}, "--weights does nothing"),
        ({"impute": "vae", "names": True}, "need modalities to fuse"),
        ({"modalities": "attributes", "impute": "magic"}, "unknown way to guess"),
        ({"modalities": "image", "images": ["a", "b", "c"]}, "one file for both graphs"),
    ],
)
def test_mistakes_are_one_line(more, said):
    with pytest.raises(UserError) as fault:
        align_graphs(LEFT, RIGHT, links=LINKS, **more)
    assert said in str(fault.value) and "\n" not in str(fault.value)


def test_dev_links_are_needed(images):
    few = LINKS.of("train", "test")
    with pytest.raises(UserError, match="at least 20 dev links"):
        align_graphs(LEFT, RIGHT, links=few, images=images, modalities="image")
