from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_commands import Place, everything, good, xadapt
from tiny_folders import base_and_encoder, manifest_of, own_states, random_module

from xadapt.composition.composed import Composed
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.hub.adapters_setup import (
    FILE,
    Member,
    arranged,
    write_adapters_setup,
    write_setup,
)
from xadapt.integrations import adapters as bridge

with_adapters = [
    pytest.mark.adapters,
    pytest.mark.skipif(bridge.available() is not None, reason=str(bridge.available())),
]
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"rank": 3, "alpha": 6}),
    "qv": ("lora", {"rank": 2, "alpha": 4, "sites": ("q", "v"), "layers": (1, 3)}),
    "out": ("lora", {"rank": 2, "sites": ("attn_out",)}),
    "bn": ("bottleneck", {"width": 5, "after": "ffn"}),
    "lora2": ("lora", {"rank": 3, "alpha": 6}),
    "bn2": ("bottleneck", {"width": 5, "after": "ffn"}),
    "both": ("bottleneck", {"width": 4, "layers": (1, 4)}),
    "map": ("bottleneck", {"width": 5, "after": "ffn", "invertible": "nice"}),
    "map2": ("bottleneck", {"width": 6, "after": "ffn", "invertible": "nice"}),
    "par": ("bottleneck", {"width": 5, "after": "ffn", "form": "parallel"}),
    "mol": ("mixture_of_loras", {"experts": 2, "rank": 2}),
    "fu": ("fusion", {"experts": 2}),
    "narrow": ("fusion", {"experts": 2, "width": 7, "temperature": 3.0}),
    "flat": ("fusion", {"experts": 2, "value": False}),
    "fu_both": ("fusion", {"experts": 2, "sites": ("attn_out", "ffn_out"), "layers": (1, 4)}),
    "bn3": ("bottleneck", {"width": 4, "after": "ffn"}),
    "both2": ("bottleneck", {"width": 3, "layers": (1, 4)}),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, dict[str, Member]]:
    path, encoder = base_and_encoder(tmp_path_factory.mktemp("base"), "bert")
    members = {}
    for seed, (name, (kind, options)) in enumerate(KINDS.items()):
        module = random_module(encoder, kind, seed=seed, **options)
        for value in module.parameters():
            value.data *= 0.5
        members[name] = Member(module, manifest_of(encoder, module, name=name))
    return path, encoder, members


def differ(base: tuple[str, Any, dict[str, Member]], text: str, folder: Path) -> float:
    """How far what adapters loads is from our composition, at real tokens."""
    path, encoder, members = base
    whole = Composed(parse(text), {name: one.module for name, one in members.items()})
    ids, mask, own = own_states(encoder, [whole])
    theirs = bridge.states(folder, path, ids, mask)
    return float((theirs - own)[mask.bool()].abs().max())


class TestAdapters:
    pytestmark = with_adapters

    @pytest.mark.parametrize(
        ("text", "order"),
        [
            ("lora", ["lora"]),
            ("par", ["par"]),
            ("map", ["map"]),
            ("map + both", ["map", "both"]),
            ("bn + both + bn", ["bn", "both", "bn"]),
            ("both + bn", ["both", "bn"]),
            ("lora + bn", ["lora", "bn"]),
            ("bn + qv", ["bn", "qv"]),
            ("qv + bn", ["qv", "bn"]),
            ("lora + map + both", ["map", "both", "lora"]),
            ("fuse(fu; bn, bn2)", ["bn", "bn2"]),
            ("fuse(narrow; bn2, bn)", ["bn2", "bn"]),
            ("fuse(flat; bn, bn2)", ["bn", "bn2"]),
            ("fuse(fu_both; both, both2)", ["both", "both2"]),
            ("bn3 + fuse(fu; bn, bn2)", ["bn3", "bn", "bn2"]),
            ("fuse(fu; bn, bn2) + bn3", ["bn", "bn2", "bn3"]),
        ],
    )
    def test_it_loads_what_we_compute(
        self, base: Any, tmp_path: Path, text: str, order: list[str]
    ) -> None:
        _, encoder, members = base
        found = write_adapters_setup(tmp_path / "s", parse(text), members, encoder)
        assert found == order
        assert differ(base, text, tmp_path / "s") < 1e-5
        assert differ(base, "none" if text == "lora" else "lora", tmp_path / "s") > 1e-2

    @pytest.mark.parametrize(
        ("text", "order"),
        [
            ("lora + qv", ["lora", "qv"]),  # a product, not a sum, or an error
            ("par + bn", ["par", "bn"]),
            ("bn + par", ["bn", "par"]),
            ("bn + map", ["bn", "map"]),
            ("map + map2", ["map", "map2"]),
            ("bn + lora", ["bn", "lora"]),
        ],
    )
    def test_what_is_refused_is_wrong_there(
        self, base: Any, tmp_path: Path, text: str, order: list[str]
    ) -> None:
        _, encoder, members = base
        with pytest.raises(UserError):
            arranged(parse(text), members, encoder)
        (tmp_path / "s").mkdir()
        write_setup(tmp_path / "s", [members[name] for name in order], encoder)
        try:
            found = differ(base, text, tmp_path / "s")
        except (RuntimeError, KeyError, ValueError):
            return
        assert found > 1e-3

    @pytest.mark.parametrize(
        ("block", "names", "text", "more"),
        [
            ("Average", ["bn", "bn2"], "mix(bn, bn2)", {"weights": [0.5, 0.5]}),
            ("Average", ["lora", "lora2"], "mix(lora, lora2)", {"weights": [0.5, 0.5]}),
            ("BatchSplit", ["map", "map2"], "map2", {"batch_sizes": [1, 2]}),
        ],
    )
    def test_its_other_blocks_are_wrong(
        self, base: Any, tmp_path: Path, block: str, names: list[str], text: str, more: Any
    ) -> None:
        """For the last the row of the second language alone is compared."""
        path, encoder, members = base
        (tmp_path / "s").mkdir()
        write_setup(tmp_path / "s", [members[name] for name in names], encoder)
        said = json.loads((tmp_path / "s" / FILE).read_text())
        said["adapter_setup"] |= {"type": block, "kwargs": more}
        (tmp_path / "s" / FILE).write_text(json.dumps(said))
        whole = Composed(parse(text), {name: one.module for name, one in members.items()})
        ids, mask, own = own_states(encoder, [whole])
        theirs = bridge.states(tmp_path / "s", path, ids, mask)
        assert (theirs - own)[-1][mask[-1].bool()].abs().max() > 1e-3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lora + qv", "multiplied there, not added"),
        ("par + bn", "parallel bottleneck in a Stack"),
        ("bn + map", "only the first adapter's invertible map"),
        ("map + map2", "only the first adapter's invertible map"),
        ("bn + lora", "before every bottleneck there"),
        ("map + lora", "before every bottleneck there"),
        ("mix(bn, both)", "divides by the number of parts"),
        ("bn + mix(lora, qv)", "divides by the number of parts"),
        ("by_language(de = map, sw = map2)", "not by language, and gives all rows the first"),
        ("by_language(de = bn, sw = both)", "not by language:"),
        ("route(arrow; lora, qv)", "nothing like it"),
        ("none", "nothing like it"),
        ("out", "no LoRA on attn_out"),
        ("mol", "no module of kind 'mixture_of_loras'"),
        ("fuse(fu; lora, qv)", "fuses bottlenecks only ('lora' is a lora)"),
        ("fuse(fu; bn, par)", "without the sub-layer's output ('par')"),
        ("fuse(fu; bn, map)", "no fusion over invertible maps ('map')"),
        ("fuse(fu; bn, both)", "act at different places"),
        ("both + fuse(fu; bn, bn2)", "must act at the same places"),
        ("lora + fuse(fu; bn, bn2)", "only plain bottlenecks go with a fusion"),
        ("bn + mix(fuse(fu; bn, bn2), both)", "divides by the number of parts"),
    ],
)
def test_refusals_say_why(base: Any, tmp_path: Path, text: str, said: str) -> None:
    _, encoder, members = base
    with pytest.raises(UserError) as caught:
        write_adapters_setup(tmp_path / "s", parse(text), members, encoder)
    where = str(caught.value)
    assert said.rstrip(":") in where and "--adapters-setup" in where
    if said.endswith(":"):
        assert "invertible" not in where
    assert everything(tmp_path) == []


def test_what_adapters_gets_wrong_is_not_written(base: Any, tmp_path: Path) -> None:
    _, encoder, members = base
    with pytest.raises(UserError, match=r"differ by 1\.0e-03"):
        write_adapters_setup(tmp_path / "s", parse("bn"), members, encoder, lambda _: 1e-3)
    with pytest.raises(UserError, match="differ by nan"):
        write_adapters_setup(tmp_path / "s", parse("bn"), members, encoder, lambda _: float("nan"))
    assert everything(tmp_path) == []


def test_the_file_is_adapters_own(base: Any, tmp_path: Path) -> None:
    _, encoder, members = base
    write_adapters_setup(tmp_path / "s", parse("bn + both"), members, encoder)
    said = json.loads((tmp_path / "s" / FILE).read_text())
    assert said["adapter_setup"] == {
        "type": "Stack",
        "children": [{"type": "single", "children": [name]} for name in ("bn", "both")],
    }
    assert {"bn/pytorch_adapter.bin", "both/adapter.safetensors"} <= set(everything(tmp_path / "s"))


def test_on_the_command_line(place: Place, tmp_path: Path) -> None:
    from tiny_tagging import train, write_conll
    from tiny_training import tagged

    good(*place.train(tmp_path / "de.1"))
    write_conll(tmp_path / "train.conll", tagged(40))
    good(*train(place, tmp_path, tmp_path / "task", "--compose", f"{tmp_path}/de.1 + self"))
    text = f"{tmp_path}/de.1 + {tmp_path}/task"
    given = ("--base", place.base, "--adapters-setup")
    done = good("compose", text, *given, "--out", tmp_path / "s")
    assert "Stack(de-1, task)" in done.out
    if bridge.available() is None:
        assert "adapters computes the same" in done.out
        from adapters import AutoAdapterModel

        model = AutoAdapterModel.from_pretrained(str(place.base), dtype=torch.float32)
        model.load_adapter_setup(str(tmp_path / "s"), set_active=True)
        ids = torch.tensor([[2, 9, 11, 3]])
        assert model.eval()(input_ids=ids).logits.shape == (1, 4, 3)  # the task's own head
    before = everything(tmp_path)
    for more in (("--merged",), ("--rank", 2)):
        wrong = xadapt("compose", text, *given, *more, "--out", tmp_path / "n")
        assert wrong.code == 2 and len(wrong.lines) == 1
    assert everything(tmp_path) == before
