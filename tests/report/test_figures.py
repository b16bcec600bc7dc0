from __future__ import annotations

import struct
import xml.etree.ElementTree as ET

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from tiny_reports import report, swahili

from xadapt.core.errors import UserError
from xadapt.report import BASE, LANGUAGE_SIDE, TFIDF, Score, save_figure
from xadapt.report.figures import MAX_POINTS, dev_svg, loss_svg, smoothed
from xadapt.report.style import LIGHT

CURVES = {"distillation": [(s, 2.0 / s) for s in range(1, 50)], "total": [(1, 3.0), (9, 2.0)]}


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg.replace("xlink:href", "href"))


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()).strip() for node in parsed(svg).iter("text")]


def ids(svg: str) -> list[str]:
    return [node.attrib["id"] for node in parsed(svg).iter() if "id" in node.attrib]


def test_smoothing_is_a_centred_mean_by_hand():
    values = np.arange(100.0) ** 2
    result = smoothed(values)
    assert result[0] == 0
    assert result[1] == pytest.approx((0 + 1 + 4) / 3)
    assert result[50] == pytest.approx((48**2 + 49**2 + 50**2 + 51**2 + 52**2) / 5)
    assert result[99] == 99**2
    np.testing.assert_allclose(smoothed(np.arange(100.0)), np.arange(100.0), atol=1e-12)
    assert smoothed(np.array([3.0, 1.0])).tolist() == [3.0, 1.0]


def test_curves_are_text_and_variables_and_fetch_nothing():
    svg = loss_svg(CURVES)
    assert {"distillation", "total", "step"} <= set(texts(svg))
    assert "var(--module)" in svg
    assert "var(--ink)" in svg
    assert not [colour for colour in LIGHT.values() if colour in svg]
    assert "http" not in svg


def test_two_drawings_share_no_id_and_every_reference_is_kept():
    loss, dev = loss_svg(CURVES), dev_svg([(1, 0.2), (2, 0.3)])
    assert not set(ids(loss)) & set(ids(dev))
    for svg in (loss, dev):
        used = {node.attrib["href"][1:] for node in parsed(svg).iter() if "href" in node.attrib}
        clips = {
            node.attrib["clip-path"][5:-1]
            for node in parsed(svg).iter()
            if "clip-path" in node.attrib
        }
        assert used | clips
        assert used | clips <= set(ids(svg))


def test_the_best_development_score_is_named():
    svg = dev_svg([(10, 0.25), (20, 0.5), (30, 0.375)])
    assert "step (best: 0.500 at step 20)" in texts(svg)


def test_empty_single_and_broken_points():
    assert loss_svg({}) == ""
    assert loss_svg({"a": [], "b": [(1, float("nan"))]}) == ""
    assert dev_svg([]) == ""
    assert dev_svg([(1, float("inf"))]) == ""
    assert "a" in texts(loss_svg({"a": [(1, 2.0)]}))
    assert "step (best: 0.200 at step 2)" in texts(dev_svg([(1, float("nan")), (2, 0.2)]))


def test_long_runs_stay_small():
    waves = np.sin(np.arange(50 * MAX_POINTS)).tolist()
    assert len(loss_svg({"total": list(enumerate(waves))})) < 120_000


def test_the_callers_settings_change_nothing_and_are_not_changed():
    drawn = loss_svg(CURVES)
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "lines.linestyle": ":"}):
        before = dict(matplotlib.rcParams)
        assert loss_svg(CURVES) == drawn
        assert dict(matplotlib.rcParams) == before


def test_a_dollar_sign_is_no_formula(tmp_path):
    assert r"$\frac" in texts(loss_svg({r"$\frac": [(1, 2.0)], "a$b$c": [(1, 1.0)]}))
    save_figure(tmp_path / "a.png", report(swahili(name=r"$\frac$")))
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_the_picture_is_a_png_that_grows_with_languages(tmp_path):
    sizes = []
    for count in (1, 3):
        path = tmp_path / f"{count}.png"
        save_figure(path, report(*[swahili()] * count))
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        sizes.append(struct.unpack(">II", head[16:24]))
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] > 2 * sizes[0][1]


def test_the_bars_of_the_picture_have_the_scores_lengths(tmp_path):
    path = tmp_path / "bars.png"
    scores = [Score(BASE, "to_pivot", 0.25), Score(TFIDF, "to_pivot", 0.5)]
    save_figure(path, report(swahili(scores=[*scores, Score(LANGUAGE_SIDE, "to_pivot", 1.0)])))
    pixels = (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int)
    longest = {}
    for name in ("control", "module"):
        same = (pixels == list(bytes.fromhex(LIGHT[name][1:]))).all(-1)
        longest[name] = sorted({int(n) for n in same.sum(1) if n > 50})
    assert longest["control"][0] == pytest.approx(longest["module"][-1] / 4, abs=3)
    assert longest["control"][-1] == pytest.approx(longest["module"][-1] / 2, abs=3)


def test_a_report_without_scores_has_no_picture(tmp_path):
    path = tmp_path / "none.png"
    for empty in (report(), report(swahili(scores=[]))):
        with pytest.raises(UserError, match="no score"):
            save_figure(path, empty)
    assert not list(tmp_path.iterdir())
