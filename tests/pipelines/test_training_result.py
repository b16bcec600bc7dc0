from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import Place

from xadapt.core.errors import UserError
from xadapt.hub.opening import read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.training_result import TrainingResult, TrainingResults


@pytest.fixture(scope="module")
def result(place: Place, de: Path) -> TrainingResult:
    return TrainingResult(de, read_manifest(de), 2.0, forward_seconds=0.5, base=str(place.base))


def test_the_module_is_its_folder(result: TrainingResult, place: Place, de: Path) -> None:
    assert result.module == de and str(result.module) == str(de) and result.forwards == 4
    other = AdaptedEncoder.load(str(place.base), str(result.module), dtype="float32")
    ours = result.load(dtype="float32")
    np.testing.assert_array_equal(ours.encode(["katze"], ["de"]), other.encode(["katze"], ["de"]))


def test_history_and_evidence_are_those_of_the_folder(result: TrainingResult) -> None:
    assert result.evidence == result.manifest.evidence and len(result.evidence) == 4
    assert result.history.steps[-1]["step"] == len(result.history.steps) > 0
    assert len(result.history.evaluations) == 4
    frame = result.to_pandas()
    assert list(frame["module"]) == [one.value for one in result.evidence]
    assert list(frame["base"]) == [one.base for one in result.evidence]
    assert set(result.to_dict()) >= {"folder", "manifest", "notes", "seconds", "forwards"}


def test_what_a_person_sees(result: TrainingResult) -> None:
    first = result.evidence[0]
    lines = result.report().splitlines()
    assert lines[0] == f"lora for de in {result.folder}"
    assert lines[1] == "trained on 54 records in 2 s, 4.0 times one frozen forward"
    side = "language side" if first.sides == "language" else "both sides"
    assert lines[2] == f"  {first.metric}, {side}: {first.value:.3f} (base {first.base:.3f})"
    assert str(result.folder) in repr(result) and len(repr(result).splitlines()) < 20
    html = result._repr_html_()
    assert (
        "<table" in html and f"{first.value:.3f}".removeprefix("0") in html and first.metric in html
    )


def test_a_page_has_a_curve_for_each_objective(result: TrainingResult, tmp_path: Path) -> None:
    result.write_report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    names = list(result.history.curves)
    assert names == result.manifest.objectives and all(f">{name}</text>" in page for name in names)
    assert "trained on 54 records" in page and str(result.folder) not in page
    with pytest.raises(UserError):
        result.write_report(tmp_path / "page.html" / "page.html")


def test_a_module_that_is_worse_says_so(result: TrainingResult) -> None:
    worse = [one.model_copy(update={"value": 0.0, "base": 0.5}) for one in result.evidence]
    poor = replace(result, manifest=result.manifest.model_copy(update={"evidence": worse}))
    assert poor.warning is not None and "0.000 against 0.500" in poor.warning
    assert poor.report().endswith(f"warning: {poor.warning}")
    none = replace(result, manifest=result.manifest.model_copy(update={"evidence": []}))
    assert none.warning is None and "nothing was measured" in none.report()
    assert none._repr_html_() and repr(none)


def test_several_results(result: TrainingResult, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(result, manifest=result.manifest.model_copy(update={"languages": ["nl"]}))
    both = TrainingResults([result, other])
    assert len(both) == 2 and both[0] is result and both["nl"] is other
    assert both.modules == [result.module] * 2 and len(both.to_pandas()) == 8
    assert both.report().count("lora for") == 2 and both._repr_html_() and repr(both)
    for wrong in ("fr", ""):
        with pytest.raises(KeyError):
            both[wrong]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="'pandas', which is not installed"):
        both.to_pandas()
