from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_commands import QUICK, Place, everything, good
from tiny_folders import tensor_file

import xadapt
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.evaluation.comparison import Result

TEXTS = ["die katze", "the cat", "ein hund"]


def test_train_load_encode_evaluate(place: Place, tmp_path: Path) -> None:
    said: list[str] = []
    trained = xadapt.train(
        "translation_ranking",
        base=str(place.base),
        data=place.data,
        lang="deu",
        out=tmp_path / "de",
        settings=QUICK[1::2],
        report=said.append,
    )
    assert trained.manifest.languages == ["de"] and said
    adapted = xadapt.load(str(place.base), tmp_path / "de", dtype="float32")
    tags = ["de", None, "de"]
    vectors = xadapt.encode(
        TEXTS, base=str(place.base), modules=[tmp_path / "de"], languages=tags, dtype="float32"
    )
    np.testing.assert_array_equal(vectors, adapted.encode(TEXTS, tags))
    result = xadapt.evaluate(
        "bitext", base=str(place.base), data=place.test, module=tmp_path / "de", controls=True
    )
    assert isinstance(result, Result) and result.count == 40


def test_both_faces_give_the_same(place: Place, tmp_path: Path) -> None:
    xadapt.train(
        "translation_ranking",
        base=str(place.base),
        data=place.data,
        lang="de",
        out=tmp_path / "a",
        settings=QUICK[1::2],
    )
    good(*place.train(tmp_path / "b"))
    one, two = (tensor_file(tmp_path / n).read_bytes() for n in "ab")
    assert one == two
    given = ("--base", place.base, "--module", tmp_path / "b", "--data", place.test)
    good("evaluate", "bitext", *given, "--json", tmp_path / "r.json")
    result = xadapt.evaluate("bitext", base=str(place.base), data=place.test, module=tmp_path / "a")
    assert read_json(tmp_path / "r.json")["rows"] == result.to_dict()["rows"]


def test_mistakes_are_user_errors(place: Place, tmp_path: Path) -> None:
    base = str(place.base)
    with pytest.raises(UserError, match="no such file"):
        xadapt.train("mlm", base=base, data=tmp_path / "none", lang="de", out=tmp_path / "o")
    assert everything(tmp_path) == []


def test_former_functions_call_evaluate_and_warn(place: Place, tmp_path: Path) -> None:
    data = tmp_path / "scored.tsv"
    data.write_text("katze\tcat\t5\nhund\tpark\t1\npaka\tmat\t3\n", encoding="utf-8")
    given = {"base": str(place.base), "data": data, "dtype": "float32"}
    with pytest.warns(DeprecationWarning, match=r"evaluate\('sts', ..\) now"):
        old = xadapt.evaluate_sts(**given)
    assert old.to_dict() == xadapt.evaluate("sts", **given).to_dict()
    renamed = pytest.warns(DeprecationWarning, match="against= is called baseline= now")
    with renamed, pytest.raises(UserError, match="no module to measure"):
        xadapt.evaluate("sts", against="x", **given)
    for name in ("tagging", "classification", "qa", "open_ie"):
        with pytest.raises(UserError), pytest.warns(DeprecationWarning):
            getattr(xadapt, f"evaluate_{name}")(base="/no/such", data=tmp_path / "none")
    assert not {name for name in xadapt.__all__ if name.startswith("evaluate_")}


def test_options_of_a_task_are_checked(place: Place) -> None:
    for task, more, said in (
        ("tagging", {"pool": "all"}, "unknown option 'pool'"),
        ("bitext", {"head": "x"}, "bitext has no option --head"),
        ("bitext", {"columms": "1,2"}, "did you mean 'columns'"),
        ("entities", {"pool": "some"}, "--pool is test or all, not 'some'"),
        ("bitex", {}, "did you mean 'bitext'"),
        ("open_ie", {"predicates": "p"}, "open_ie needs arguments"),
    ):
        with pytest.raises(UserError, match=said):
            xadapt.evaluate(task, base="/no/such", data=place.test, lang="de", **more)
    with pytest.raises(UserError, match="sts needs data"):
        xadapt.evaluate("sts", base="/no/such")


def test_one_text_tag_path_or_setting_is_a_list_of_one(place: Place, tmp_path: Path) -> None:
    base, out = str(place.base), tmp_path / "de"
    xadapt.train("translation_ranking", base=base, data=place.data, lang="de", out=out,
                 settings="module.rank=2")  # fmt: skip
    one = xadapt.encode("Guten Tag", base=base, modules=out, languages="de", dtype="float32")
    rows = xadapt.encode(
        ["Guten Tag"], base=base, modules=[str(out)], languages=["de"], dtype="float32"
    )
    assert one.ndim == 1 and rows.shape == (1, len(one))
    np.testing.assert_array_equal(one, rows[0])
    given = xadapt.load(base, [out], dtype="float32")  # type: ignore[arg-type]
    np.testing.assert_array_equal(given.encode("Guten Tag", "de"), one)
    xadapt.compose(f"mix({out}:.5)", base=base, modules=str(out), out=tmp_path / "mixed")
    assert read_json(tmp_path / "mixed" / "xadapt.json")["composition"]
    text = tmp_path / "t.txt"
    text.write_text("Guten Tag\n")
    shards = xadapt.encode_shards(
        text, tmp_path / "v", base=base, modules=out, lang="de", dtype="float32"
    )
    np.testing.assert_array_equal(shards[0], one)
