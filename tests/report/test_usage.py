from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.report.usage import Cell, Usage, save_usage


def usage(languages: tuple[str, ...] = ("de", "sw"), router: str = "arrow") -> Usage:
    cells = [
        Cell(lang, layer, site, (0.1 * layer, 1 - 0.1 * layer), (1.0, 0.5))
        for lang in languages
        for layer in (0, 2, 1)
        for site in ("q", "ffn_out")
    ]
    return Usage(router, ("german", "a-very-long-name-of-a-module"), tuple(cells))


def test_means_by_hand() -> None:
    one = usage()
    assert one.languages == ["de", "sw"]
    np.testing.assert_allclose(one.mean("de")[""], [0.1, 0.9])
    by_layer = one.mean("sw", lambda cell: cell.layer)
    np.testing.assert_allclose(by_layer[2], [0.2, 0.8])
    assert list(one.mean("sw", lambda cell: cell.site)) == ["q", "ffn_out"]
    told = one.to_dict()
    assert told["mean"]["de"] == pytest.approx([0.1, 0.9]) and len(told["cells"]) == 12
    assert told["cells"][0]["used"] == (1.0, 0.5)


def test_the_picture_says_every_number_name_and_language(tmp_path: Path) -> None:
    save_usage(tmp_path / "u.svg", [usage(), usage(router="$x$ router")])
    tree = ET.parse(tmp_path / "u.svg")
    texts = ["".join(node.itertext()).strip() for node in tree.iter() if node.tag.endswith("text")]
    for wanted in ("texts in de", "texts in sw", "layer 2", "q", ".90", "german", "all"):
        assert wanted in texts, wanted
    for wanted in ("a-very-long-n…", "$x$ router: mean weight of each expert"):
        assert wanted in texts, wanted
    assert texts.index("embeddings") < texts.index("layer 1") < texts.index("layer 2")


def test_any_format_and_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "u.png"):
        save_usage(tmp_path / name, [usage(("all texts",))])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert matplotlib.image.imread(tmp_path / "u.png").shape[0] > 200
    with pytest.raises(UserError, match="a picture is"):
        save_usage(tmp_path / "u.txt", [usage()])
