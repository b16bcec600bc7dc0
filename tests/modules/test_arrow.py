from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_commands import Place, everything, good, xadapt
from tiny_folders import TEXTS, base_and_encoder, manifest_of, own_states
from tiny_models import tiny_encoder
from tiny_tagging import train
from tiny_training import module_for, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.text import parse, show
from xadapt.composition.values import names, replaced
from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.modules.arrow import Arrow, ArrowOptions, options_in
from xadapt.modules.hooks import SiteInputs
from xadapt.modules.lora import LowRank

ENCODER = tiny_encoder()
PLACE = (1, "ffn_in", 0)


def loras(*ranks: int, scale: float = 0.4, **options: object) -> list[torch.nn.Module]:
    fresh = [module_for(ENCODER, "lora", rank=rank, **options) for rank in ranks]
    return [shaken(module, seed, scale) for seed, module in enumerate(fresh)]


def low(module: torch.nn.Module, place: tuple[int, str, int] = PLACE) -> LowRank:
    (found,) = [e.fn for e in module.hooks() if e.place == place]
    return found


def adapted(count: int = 3) -> AdaptedEncoder:
    modules = dict(zip("abc", loras(2, 3, 2, scale=0.1), strict=True))
    return AdaptedEncoder(ENCODER, {n: modules[n] for n in "abc"[:count]}, "a")


def states(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 5, ENCODER.width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rank", [1, 3, 70])
def test_prototypes_are_the_first_right_vectors_of_the_update(rank: int) -> None:
    """Also where the rank is more than the update can have."""
    parts = loras(rank, 2)
    arrow = Arrow(parts)
    for place in {e.place for e in parts[0].hooks()}:
        for part, vector in zip(parts, arrow.prototypes(place), strict=True):
            update = (low(part, place).B @ low(part, place).A).detach().double().numpy()
            right = np.linalg.svd(update)[2][0]
            assert abs(vector.double().numpy() @ right) == pytest.approx(1, abs=1e-6)


def test_gates_by_hand() -> None:
    parts = loras(2, 2)
    with torch.no_grad():
        for part, axis in zip(parts, (3, 7), strict=True):
            low(part).A.zero_()
            low(part).A[0, axis] = 5.0
    x = torch.zeros(1, 2, ENCODER.width)
    x[0, 0, 3], x[0, 0, 7] = -2.0, 1.0  # |x v| = 2 and 1; the second token 0 and 0
    gates = Arrow(parts, ArrowOptions(temperature=0.5)).gates(PLACE, SiteInputs(1, x, x))
    first = 1 / (1 + np.exp(-(2 - 1) / 0.5))
    np.testing.assert_allclose(gates[0], [[first, 1 - first], [0.5, 0.5]], atol=1e-6)


def test_top_k_gives_exact_zeros_and_the_rest_sums_to_one() -> None:
    x = states()
    gates = Arrow(loras(2, 2, 2, 2, 2), ArrowOptions(2)).gates(PLACE, SiteInputs(1, x, x))
    assert (gates == 0).sum(-1).eq(3).all()
    torch.testing.assert_close(gates.sum(-1), torch.ones(2, 5))
    assert Arrow(loras(2, 2, 2, 2, 2)).top_k == 4 and Arrow(loras(2, 2)).top_k == 2
    one = Arrow(loras(2, 2), ArrowOptions(1)).gates(PLACE, SiteInputs(1, x, x))
    assert set(one.unique().tolist()) == {0.0, 1.0}


def test_only_those_that_act_at_a_site_are_weighed_there() -> None:
    (everywhere,), (elsewhere,) = loras(2), loras(2, sites=["v"])
    x = states()
    gates = Arrow([elsewhere, everywhere]).gates(PLACE, SiteInputs(1, x, x))
    assert torch.equal(gates[..., 0], torch.zeros(2, 5)) and gates[..., 1].eq(1).all()
    with torch.no_grad():
        low(everywhere).B.zero_()
    both = Arrow([*loras(2), everywhere])
    assert not both.prototypes(PLACE)[1].any()


def test_one_part_is_that_lora_alone() -> None:
    model = adapted()
    alone = model.with_("b").encode(TEXTS)
    np.testing.assert_allclose(model.with_("route(arrow; b)").encode(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(model.with_("route(arrow; b, b)").encode(TEXTS), alone, atol=1e-5)
    mixed = model.with_("route(arrow; a, b, c)").encode(TEXTS)
    assert np.abs(mixed - alone).max() > 1e-3
    even = model.with_("mix(a, b, c)").encode(TEXTS)
    hot = model.with_("route(arrow@3@1000000; a, b, c)").encode(TEXTS)
    np.testing.assert_allclose(hot, even, atol=1e-5)


def test_mixed_rows_equal_separate_runs_and_padding_changes_nothing() -> None:
    model = adapted()
    rows = [parse("route(arrow; a, b)"), None, parse("route(arrow@1; a, b, c) + a")]
    together = model.encode(TEXTS, compositions=rows)
    for number, row in enumerate(rows):
        apart = model.encode([TEXTS[number]], compositions=[row])
        np.testing.assert_allclose(together[number : number + 1], apart, atol=1e-5)


@pytest.mark.parametrize("text", ["arrow", "arrow@2", "arrow@2@.5"])
def test_it_prints_and_parses_and_names_no_module(text: str) -> None:
    value = parse(f"route({text}; a, b) + c")
    assert parse(show(value)) == value and names(value) == ["a", "b", "c"]
    assert replaced(value, {"arrow": "x", "a": "y"}) == parse(f"route({text}; y, b) + c")
    assert options_in("arrow@2@.5") == ArrowOptions(2, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route(arrow; a, a + b)", "part 2 of the route is none"),
        ("route(arrow; a, none)", "part 2 of the route is none"),
        ("route(arrow; bn, a)", "part 1 of the route is none"),
        ("route(arrow; a, new)", "part 2 of the route adds nothing"),
        ("route(arrow@3; a, b)", "can't keep 3 of 2"),
        ("route(arrow@0; a, b)", "should be arrow"),
        ("route(arrow@x; a, b)", "should be arrow"),
        ("route(arrow@2@0; a, b)", "should be arrow"),
    ],
)
def test_what_is_no_single_lora_is_refused(text: str, said: str) -> None:
    modules = {**adapted().modules, "new": module_for(ENCODER)}
    modules["bn"] = shaken(module_for(ENCODER, "bottleneck", width=4))
    with pytest.raises(UserError, match=said):
        AdaptedEncoder(ENCODER, modules, "a").with_(text).encode(TEXTS)


def test_peft_computes_the_same(tmp_path: Path) -> None:
    """With a wide gap between singular values: PEFT's power iteration stops after 15 steps.

    And on sites with names of their own: PEFT puts its router on all linears called ``dense``.
    """
    peft = pytest.importorskip("peft")
    from transformers import AutoModel

    base, encoder = base_and_encoder(tmp_path, "bert")
    options = {"rank": 3, "alpha": 6, "sites": ["q", "k", "v"]}
    modules = {name: shaken(module_for(encoder, "lora", **options), n, 0.1)
               for n, name in enumerate("abc")}  # fmt: skip
    for module in modules.values():
        for hook in module.hooks():
            with torch.no_grad():
                hook.fn.A[0] *= 6
    for name, module in modules.items():
        write_folder(tmp_path / name, module, encoder, manifest_of(encoder, module), verify={})
    plain = AutoModel.from_pretrained(base, dtype=torch.float32, add_pooling_layer=False)
    theirs = peft.create_arrow_model(
        plain,
        [str(tmp_path / name) for name in modules],
        peft.ArrowConfig(top_k=2, router_temperature=0.7, rng_seed=0),
    ).eval()
    whole = Composed(parse("route(arrow@2@.7; a, b, c)"), modules)
    ids, mask, own = own_states(encoder, [whole])
    with torch.no_grad():
        found = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.bool()
    torch.testing.assert_close(found[real], own[real], rtol=1e-5, atol=1e-5)
    other = own_states(encoder, [Composed(parse("mix(a, b, c)"), modules)])[2]
    assert (own - other)[real].abs().max() > 1e-2


def test_it_works_wherever_a_composition_does(
    made: tuple[Place, Path],
    tmp_path: Path,
) -> None:
    place, folder = made
    route = f"route(arrow; {folder}/de, {folder}/sw)"
    good(*train(place, folder, tmp_path / "m", "--compose", f"{route} + self"))
    assert '"composition"' in (tmp_path / "m" / "xadapt.json").read_text()
    labels = good("evaluate", "tagging", "--base", place.base, "--data", folder / "test.conll",
                  "--module", f"m={tmp_path}/m", "--compose", f"{route} + m")  # fmt: skip
    assert "module" in labels.out
    done = good("compose", route, "--base", place.base, "--out", tmp_path / "c")
    assert "route(arrow; de, sw)" in done.out
    np.testing.assert_array_equal(
        *(AdaptedEncoder.load(str(place.base), *given, compose=text, dtype="float32").encode(TEXTS)
          for given, text in (((), route), ((str(tmp_path / "c"),), None)))
    )  # fmt: skip
    for text in (f"route(arrow; {folder}/de, self)", f"route(arrow@9; {folder}/de) + self"):
        wrong = xadapt(*train(place, folder, tmp_path / "n", "--compose", text))
        assert wrong.code == 2 and len(wrong.lines) == 1 and "arrow" in wrong.err
    assert "n" not in everything(tmp_path)


def test_a_module_of_that_name_is_refused_and_a_folder_of_it_renamed(
    made: tuple[Place, Path],
    tmp_path: Path,
) -> None:
    place, folder = made
    given = ("--base", place.base, "--out", tmp_path / "c")
    done = xadapt("compose", "arrow", *given, "--module", f"arrow={folder}/de")
    assert done.code == 2 and "another name" in done.err
    (folder / "arrow").symlink_to(folder / "de")
    good("compose", f"route(arrow; {folder}/arrow)", *given)
    assert AdaptedEncoder.load(str(place.base), str(tmp_path / "c")).modules.keys() <= {
        f"{tmp_path}/c/modules/de"
    }
