from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_training import digest, forward, module_for, pairs, shaken, tagged, trainer

from xadapt.composition.composed import Composed
from xadapt.composition.values import Fuse, Mix, Stack
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.fusion import Fusion, FusionOptions
from xadapt.objectives.tagging import Tagging
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()
FUSE = Fuse("f", ["a", "b"])


def modules(encoder=ENCODER, **options):
    sites = {"sites": ["ffn_out", "attn_out"], **options}
    return {
        "a": shaken(module_for(encoder, "bottleneck", width=4, after="both"), 1, 0.1),
        "b": shaken(module_for(encoder, "bottleneck", width=3, after="ffn"), 2, 0.1),
        "t": shaken(module_for(encoder, "lora", rank=2), 3, 0.1),
        "f": module_for(encoder, "fusion", seed=4, **sites),
    }


def states(composition, own, encoder=ENCODER, rows=None):
    tokens, mask = padded(encoder)
    adapter = ActiveAdapter(encoder, Composed(composition, own))
    return forward(encoder, tokens, mask, Activation.of(adapter, rows))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_fusion_is_the_mean_of_its_modules(family):
    encoder = tiny_encoder(family)
    own = modules(encoder)
    mean = states(Mix({"a": 0.5, "b": 0.5}), own, encoder)
    assert torch.allclose(states(FUSE, own, encoder), mean, atol=1e-5)
    shaken(own["f"], 5, 0.3)
    assert (states(FUSE, own, encoder) - mean).abs().max() > 1e-3


def test_what_is_added_is_attention_over_the_modules():
    fusion = shaken(Fusion(FusionOptions(experts=3, temperature=0.5), model_shape(ENCODER)), 6)
    place = (1, "ffn_out", 0)
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(2, 3, 32, generator=generator)
    deltas = torch.randn(2, 3, 3, 32, generator=generator)
    got = fusion.added(place, state, deltas)
    query, key, value = (p["1-ffn_out-0"] for p in (fusion.query, fusion.key, fusion.value))
    for row in range(2):
        for token in range(3):
            scores = [
                float((query @ state[row, token]) @ (key @ deltas[row, token, i])) / 0.5
                for i in range(3)
            ]
            most = max(scores)
            weights = [torch.tensor(s - most).exp() for s in scores]
            summed = sum(w * deltas[row, token, i] for i, w in enumerate(weights)) / sum(weights)
            assert torch.allclose(got[row, token], value @ summed, atol=1e-4)


def test_a_state_inside_the_keys_would_change_nothing():
    fusion = shaken(Fusion(FusionOptions(value=False), model_shape(ENCODER)), 6)
    place = (0, "ffn_out", 0)
    state, deltas = torch.randn(2, 5, 32), torch.randn(2, 5, 2, 32)
    query, key = fusion.query["0-ffn_out-0"], fusion.key["0-ffn_out-0"]
    inside = (deltas + state.unsqueeze(2)) @ key.T
    weights = (inside @ (state @ query.T).unsqueeze(-1)).squeeze(-1).softmax(-1)
    summed = (weights.unsqueeze(-1) * deltas).sum(2)
    assert torch.allclose(fusion.added(place, state, deltas), summed, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "deberta-v3", "t5"])
def test_mixed_rows_are_separate_runs_and_padding_changes_nothing(family):
    encoder = tiny_encoder(family)
    own = modules(encoder)
    shaken(own["f"], 5, 0.3)
    whole = Stack("t", FUSE)
    alone, base = states(whole, own, encoder), forward(encoder, *padded(encoder))
    some = states(whole, own, encoder, rows=[0, 2])
    assert torch.allclose(some[[0, 2]], alone[[0, 2]], atol=1e-5)
    assert torch.allclose(some[1], base[1], atol=1e-5)
    tokens, mask = padded(encoder)
    short = int(mask.sum(1).argmin())
    size = int(mask[short].sum())
    acts = Activation.of(ActiveAdapter(encoder, Composed(whole, own)))
    one = slice(short, short + 1)
    cut = forward(encoder, tokens[one, :size], mask[one, :size], acts)
    assert torch.allclose(cut[0], alone[short, :size], atol=1e-5)


def test_the_penalty_is_the_distance_to_the_identity():
    options = FusionOptions(penalty=0.5, layers=(0, 1))
    fusion = Fusion(options, model_shape(ENCODER))
    assert float(fusion.penalties()["values"]) == 0
    with torch.no_grad():
        fusion.value["0-ffn_out-0"][0, 1] = 3.0
    assert float(fusion.penalties()["values"]) == pytest.approx(4.5)
    assert (
        Fusion(options.model_copy(update={"value": False}), model_shape(ENCODER)).penalties() == {}
    )


def test_only_the_fusion_learns(tmp_path):
    encoder = tiny_encoder("bert", mlm=True)
    own = modules(encoder)
    for name in ("a", "b"):
        own[name].requires_grad_(False)
    before = {name: digest(module) for name, module in own.items()}
    run = trainer(
        tmp_path,
        [Task("t", Tagging(), tagged(16))],
        encoder=encoder,
        module=own["f"],
        inside=[Composed(FUSE, own)],
        epochs=2,
    )
    run.train()
    assert {name for name in own if digest(own[name]) != before[name]} == {"f"}
    moved = [n for n, p in own["f"].named_parameters() if p.abs().sum() > 0 and n[0] == "q"]
    assert len(moved) == 2 * encoder.depth  # queries, which start at zero


def test_it_finds_the_module_that_helps(tmp_path):
    encoder = tiny_encoder("bert", mlm=True)
    helps = module_for(encoder, "bottleneck", width=8, after="ffn")
    rows, more = pairs(48), {"epochs": 6, "learning_rate": 5e-3}
    task = [Task("t", TranslationRanking(), rows)]
    trainer(tmp_path / "a", task, encoder=encoder, module=helps, **more).train()
    noise = shaken(module_for(encoder, "bottleneck", width=8, after="ffn"), 7, 0.2)
    own = {"a": helps.requires_grad_(False), "b": noise.requires_grad_(False),
           "f": module_for(encoder, "fusion", experts=2)}  # fmt: skip
    run = trainer(
        tmp_path / "f",
        [Task("t", TranslationRanking(), rows)],
        encoder=encoder,
        module=own["f"],
        inside=[Composed(FUSE, own)],
        **more,
    )
    seen: list[torch.Tensor] = []
    plain = own["f"].added

    def watched(place, state, deltas):
        query = own["f"].query["-".join(map(str, place))]
        key = own["f"].key["-".join(map(str, place))]
        scores = ((deltas @ key.T) @ (state @ query.T).unsqueeze(-1)).squeeze(-1)
        seen.append(scores.softmax(-1)[..., 0].detach().flatten())
        return plain(place, state, deltas)

    own["f"].added = watched
    run.train()
    count = len(seen) // 3
    assert torch.cat(seen[-count:]).mean() > torch.cat(seen[:count]).mean() + 0.1


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="no site 'x'"):
        Fusion(FusionOptions(sites=("x",)), model_shape(ENCODER))
    own = modules(sites=["attn_out"])
    with pytest.raises(ValueError, match="no weights for ffn_out of layer 1; it was made for attn"):
        states(FUSE, own)
    with pytest.raises(ValueError, match="made for 2 modules, not 3"):
        Composed(Fuse("f", ["a", "b", "t"]), own)
    with pytest.raises(ValueError, match="'a' is no fusion"):
        Composed(Fuse("a", ["b"]), own)
