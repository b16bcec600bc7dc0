"""The map of word embeddings: by hand, alone and mixed, at birth, saved, tied to the vocabulary."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny_models import padded, tiny_encoder
from tiny_training import forward, hooks_do_nothing, module_for, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.text import parse
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import embedding_table, model_shape
from xadapt.modules.embedding_map import Options
from xadapt.modules.hooks import BELOW, EMBEDDINGS, SiteInputs
from xadapt.modules.storage import build, load_module, save_module

FORMS = ("shared", "rows", "both")


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def made(encoder, form="both", **options):
    return shaken(module_for(encoder, "embedding_map", form=form, rank=3, row_rank=2, **options))


def states(encoder, module, rows=None):
    tokens, mask = padded(encoder)
    return forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, module), rows))


@pytest.mark.parametrize("form", FORMS)
def test_the_difference_by_hand(encoder, form):
    module = made(encoder, form)
    ids = torch.tensor([[7, 9, 7]])
    x = embedding_table(encoder)(ids)
    wanted = torch.zeros_like(x)
    if form != "rows":
        shared = module.words.shared
        wanted = wanted + x @ (shared.U @ shared.V) + shared.b
    if form != "shared":
        rows = module.words.rows
        wanted = wanted + torch.stack([rows.A[7] @ rows.B, rows.A[9] @ rows.B, rows.A[7] @ rows.B])
    found = module.words(SiteInputs(BELOW, x, x, ids=ids))
    assert torch.allclose(found, wanted, atol=1e-6)


def test_ids_beyond_the_vocabulary_have_no_difference(encoder):
    rows = made(encoder, "rows").words.rows
    found = rows(torch.tensor([[3, len(rows.A), len(rows.A) + 5]]))
    assert found[0, 0].any() and not found[0, 1:].any()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", ["bert", "deberta-v2-conv", "t5", "m2m100", "modernbert"])
def test_mixed_rows_are_separate_runs(family, form):
    encoder = tiny_encoder(family)
    module = made(encoder, form, lora_rank=2)
    tokens, mask = padded(encoder)
    base, whole = forward(encoder, tokens, mask), states(encoder, module)
    some = states(encoder, module, [1, 3])
    real = mask.bool().unsqueeze(-1)
    assert torch.allclose(some[[1, 3]] * real[[1, 3]], whole[[1, 3]] * real[[1, 3]], atol=1e-5)
    assert torch.allclose(some[[0, 2]] * real[[0, 2]], base[[0, 2]] * real[[0, 2]], atol=1e-5)
    assert hooks_do_nothing(encoder)


def test_a_mixture_of_maps_is_their_weighted_sum(encoder):
    one, other = made(encoder), made(encoder, "rows")
    whole = Composed(parse("mix(a:.7, b:.3)"), {"a": one, "b": other})
    ids = torch.tensor([[7, 9]])
    x = embedding_table(encoder)(ids)
    here = SiteInputs(BELOW, x, x, ids=ids)
    [hook] = whole.hooks()
    assert hook.site == EMBEDDINGS
    wanted = 0.7 * one.words(here) + 0.3 * other.words(here)
    assert torch.allclose(hook.fn(here), wanted, atol=1e-6)


def test_saved_is_loaded(encoder, tmp_path):
    module = made(encoder, lora_rank=2, layers=[0, 2])
    save_module(tmp_path / "m.safetensors", module)
    loaded = load_module(tmp_path / "m.safetensors", model_shape(encoder))
    assert torch.equal(states(encoder, loaded), states(encoder, module))
    assert {hook.layer for hook in loaded.hooks()} == {BELOW, 0, 1}


@pytest.mark.parametrize("rank", [3, None])
def test_tied_scores_are_those_of_mapped_output_embeddings(encoder, rank):
    module = shaken(module_for(encoder, "embedding_map", rank=rank))
    table, shared = embedding_table(encoder).weight, module.words.shared
    hidden = torch.randn(4, encoder.width, generator=torch.Generator().manual_seed(1))
    mapped = table + shared(table)
    scores = module.before_vocabulary(hidden) @ table.T
    assert torch.allclose(scores.log_softmax(-1), (hidden @ mapped.T).log_softmax(-1), atol=1e-4)
    assert module_for(encoder, "embedding_map", tied=False).before_vocabulary is None
    assert module_for(encoder, "embedding_map", form="rows").before_vocabulary is None


def test_rows_that_were_never_trained_stay_zero(encoder):
    module = module_for(encoder, "embedding_map", form="rows", row_rank=2)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.0)
    tokens, mask = padded(encoder)
    for _ in range(3):
        acts = Activation.of(ActiveAdapter(encoder, module))
        forward(encoder, tokens, mask, acts).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    seen = set(tokens.flatten().tolist())
    moved = set(module.words.rows.A.detach().any(1).nonzero().flatten().tolist())
    assert moved and moved <= seen


def test_wrong_options_are_refused(encoder):
    with pytest.raises(ValidationError, match="lora_rank is 0"):
        Options(layers=[0, 2])
    with pytest.raises(ValidationError, match="rank"):
        Options(rank=0)
    with pytest.raises(Exception, match="no site 'zz'"):
        build("embedding_map", {"lora_rank": 2, "sites": ["zz"]}, model_shape(encoder))
