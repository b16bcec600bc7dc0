from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import hooks_do_nothing, module_for, pairs, shaken

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.usage import measure_usage
from xadapt.injection.attachment import model_shape
from xadapt.modules.arrow import Arrow, ArrowOptions
from xadapt.modules.fusion import Fusion, FusionOptions
from xadapt.modules.hooks import SiteInputs
from xadapt.modules.router import Router, RouterOptions

ENCODER = tiny_encoder()
TEXTS = [pair.text for pair in pairs(9)]
TAGS = ["de", "sw", None] * 3


def adapted(text: str) -> AdaptedEncoder:
    modules = {n: shaken(module_for(ENCODER), i, 0.2) for i, n in enumerate(("x/de", "sw"))}
    options = {"experts": 3, "top_k": 1, "features": "token", "sites": ["v", "ffn_in"], "rank": 2}
    modules["mol"] = shaken(module_for(ENCODER, "mixture_of_loras", **options), 5, 0.3)
    fixed = Router(RouterOptions(experts=2, scope="model", temperature=1.0), model_shape(ENCODER))
    return AdaptedEncoder(ENCODER, {**modules, "r": fixed}, None).with_(text)


def test_a_router_that_weighs_alike_is_told_so() -> None:
    (found,) = measure_usage(adapted("route(r; x/de, sw) + sw"), TEXTS, TAGS)
    assert (found.router, found.experts, found.languages) == ("r", ("de", "sw"), ["de", "sw"])
    assert len(found.cells) == 2 * ENCODER.depth * 5
    for cell in found.cells:
        assert cell.mean == pytest.approx((0.5, 0.5)) and cell.used == (1, 1)
    assert {cell.layer for cell in found.cells} == {1, 2, 3, 4}


def test_arrow_by_hand_in_the_first_layer_over_real_tokens_alone() -> None:
    model = adapted("route(arrow@1; x/de, sw)")
    (found,) = measure_usage(model, TEXTS)
    arrow = Arrow([model.modules["x/de"], model.modules["sw"]], ArrowOptions(1))
    gates = []
    for text in TEXTS:  # one by one: no padding
        ids, mask = ENCODER.batch(ENCODER.tokenize([text]))
        states = ENCODER.embed(ids, mask)
        gates.append(arrow.gates((0, "v", 0), SiteInputs(0, states, states))[0])
    by_hand = torch.cat(gates).mean(0)
    (cell,) = [c for c in found.cells if (c.layer, c.site) == (1, "v")]
    np.testing.assert_allclose(cell.mean, by_hand, atol=1e-6)
    assert cell.mean == pytest.approx(cell.used) and found.languages == ["all texts"]


def test_a_fusion_weighs_alike_at_birth_and_else_as_its_attention_says() -> None:
    model = adapted("route(r; x/de, sw)")
    fusion = Fusion(FusionOptions(experts=2, sites=("v", "ffn_in")), model_shape(ENCODER))
    loras = {n: shaken(module_for(ENCODER, rank=2, sites=["v", "ffn_in"]), i, 0.2)
             for i, n in enumerate("ab")}  # fmt: skip
    model = AdaptedEncoder(ENCODER, {**loras, "f": fusion}, None).with_("mix(fuse(f; a, b):1)")
    (found,) = measure_usage(model, TEXTS)
    assert (found.router, found.experts) == ("f", ("a", "b"))
    for cell in found.cells:
        assert cell.mean == pytest.approx((0.5, 0.5), abs=1e-6)
    shaken(fusion, 3, 0.5)
    (moved,) = measure_usage(model, TEXTS)
    assert max(abs(cell.mean[0] - 0.5) for cell in moved.cells) > 0.01
    for cell in moved.cells:
        assert sum(cell.mean) == pytest.approx(1, abs=1e-5)


def test_mixtures_inside_others_are_told_apart_and_nothing_is_left_behind() -> None:
    text = "mix(mol:.5, (route(arrow; x/de, sw) + mol):.5)"
    model = adapted(text)
    before = model.encode(TEXTS)
    found = measure_usage(model, TEXTS)
    assert [(one.router, one.experts) for one in found] == [
        ("mol", ("1", "2", "3")),
        ("arrow", ("de", "sw")),
    ]
    for one in found:
        for cell in one.cells:
            assert sum(cell.mean) == pytest.approx(1, abs=1e-5)
    assert {cell.site for cell in found[0].cells} == {"v", "ffn_in"}
    assert hooks_do_nothing(ENCODER)
    np.testing.assert_array_equal(model.encode(TEXTS), before)


def test_each_language_its_own_route() -> None:
    model = adapted("by_language(de = route(arrow; x/de, sw), sw = mol)")
    found = {one.router: one for one in measure_usage(model, TEXTS, TAGS)}
    assert found["arrow"].languages == ["de"] and found["mol"].languages == ["sw"]


def test_the_spread_is_that_of_a_slow_loop() -> None:
    """Over the texts of a language, where each text has one weight."""
    model = adapted("mol")
    (together,) = measure_usage(model, TEXTS)
    alone = [measure_usage(model, [text])[0] for text in TEXTS]
    for number, cell in enumerate(together.cells):
        weights = np.array([one.cells[number].mean for one in alone])
        if all(max(one.cells[number].spread) < 1e-6 for one in alone):  # one weight a text
            np.testing.assert_allclose(cell.spread, weights.std(0), atol=1e-6)
        assert min(cell.spread) >= 0


def test_what_is_not_routed_is_refused() -> None:
    with pytest.raises(UserError, match="is routed"):
        measure_usage(adapted("sw + x/de"), TEXTS)
    with pytest.raises(UserError, match="give some texts"):
        measure_usage(adapted("mol"), TEXTS, ["de"])
