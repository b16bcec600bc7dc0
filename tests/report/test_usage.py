from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

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


def spread_of(*means: float, spread: float = 0.0) -> Usage:
    cells = [
        Cell(f"l{n}", 1, "q", (mean, 1 - mean), (1.0, 1.0), (spread, 0.0))
        for n, mean in enumerate(means)
    ]
    return Usage("r", ("a", "b"), tuple(cells))


def test_a_picture_says_where_languages_are_alike() -> None:
    alike, apart = spread_of(0.5, 0.5, 0.51), spread_of(0.2, 0.8, spread=0.1)
    assert alike.between == pytest.approx(0.01) and apart.between == pytest.approx(0.6)
    assert "at most 0.010: this router weighs its experts alike for all" in alike.caption()
    assert "at most 0.600." in apart.caption() and "alike" not in apart.caption()
    assert "is at most 0.000: nearly the same weights everywhere" in alike.caption()
    assert "is at most 0.100." in apart.caption() and apart.within == 0.1
    assert "Between" not in spread_of(0.5).caption() and usage().within is None
    assert "over tokens" not in usage().caption()
    told = alike.to_dict()
    assert told["between_languages"] == alike.between and told["within_languages"] == 0.0


def test_the_caption_is_in_the_picture_and_the_text(tmp_path: Path) -> None:
    one = spread_of(0.5, 0.5)
    save_usage(tmp_path / "u.svg", [one])
    tree = ET.parse(tmp_path / "u.svg")
    drawn = " ".join("".join(n.itertext()) for n in tree.iter() if n.tag.endswith("text"))
    assert "weighs its experts alike" in " ".join(drawn.split()) or "alike for all" in drawn
    assert "alike" in repr(one) and len(one.to_pandas()) == 4
    assert one.plot(Figure().subplots()).get_yticklabels()[0].get_text() == "l0"


def test_any_format_and_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "u.png"):
        save_usage(tmp_path / name, [usage(("all texts",))])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert matplotlib.image.imread(tmp_path / "u.png").shape[0] > 200
    with pytest.raises(UserError, match="a picture is"):
        save_usage(tmp_path / "u.txt", [usage()])
