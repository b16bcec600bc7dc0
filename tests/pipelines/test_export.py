"""A merged module as a graph gives the vectors of home, and nothing else is exported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import xadapt
from tiny_models import TEXTS
from tiny_server import Shop, make_shop

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.integrations import graph_export
from xadapt.pipelines.export import export

HERE = [name for name, (packages, _) in graph_export.NEEDS.items() if all(map(find_spec, packages))]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("file_format", list(graph_export.NEEDS))
def test_a_mixture_is_exported_and_reads_batches(shop: Shop, tmp_path: Path, file_format) -> None:
    if file_format not in HERE:
        pytest.skip(f"the extra {file_format} is not installed")
    out = tmp_path / "made"
    given = ("--base", shop.base, "--module", ",".join(shop.given("de", "fr")))
    done = xadapt(
        *("export", "--merged", *given, "--compose", "mix(de:.7, fr:.5)", "--out", out),
        *("--format", file_format, "--json", tmp_path / "said.json"),
    )
    assert done.code == 0, done.err
    home = AdaptedEncoder.load(
        shop.base, *shop.given("de", "fr"), compose="mix(de:.7, fr:.5)", dtype="float32"
    )
    found = graph_export.encode_graph(out, file_format, TEXTS)
    wanted = home.encode(list(TEXTS))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)
    assert np.abs(wanted - home.with_(None).encode(list(TEXTS))).max() > 0.01
    assert xadapt("export", "--merged", *given, "--lang", "de", "--out", out).code == 2


def test_what_is_no_lora_and_what_differs_is_refused(shop: Shop, tmp_path, monkeypatch) -> None:
    if "onnx" not in HERE:
        pytest.skip("the extra onnx is not installed")
    given = {"base": shop.base, "modules": shop.given("sw", "de")}
    with pytest.raises(UserError, match="bottleneck"):
        export(tmp_path / "made", lang="sw", **given)
    before = graph_export.encode_graph
    monkeypatch.setattr(graph_export, "encode_graph", lambda *a: before(*a) + 0.01)
    with pytest.raises(UserError, match="computes something else"):
        export(tmp_path / "made", lang="de", **given)
    assert not (tmp_path / "made").exists()


def test_without_merged_or_packages_it_says_what_to_do(shop: Shop, tmp_path, monkeypatch) -> None:
    given = ("export", "--base", shop.base, "--out", tmp_path / "made")
    assert "--merged" in xadapt(*given).err
    assert "onnx or openvino" in xadapt(*given, "--merged", "--format", "coreml").err
    monkeypatch.setitem(graph_export.NEEDS, "onnx", (("not_there_at_all",), "onnx"))
    assert "pip install 'xadapt[onnx]'" in xadapt(*given, "--merged").err
