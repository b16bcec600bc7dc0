from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_commands import QUICK, Place, everything, good
from tiny_folders import tensor_file
from tiny_models import tiny_folder
from tiny_training import labelled, pairs, plain, tagged
from transformers import EarlyStoppingCallback, TrainerCallback

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


ROWS = [(pair.pivot, pair.text) for pair in pairs(60)]


def train(place: Place, out: Path, data: Any = ROWS, **more: Any) -> Any:
    given = {"base": str(place.base), "lang": "de", "rank": 2, "dtype": "float32", **more}
    return xadapt.train("translation_ranking", data=data, out=out, **given)


def test_data_in_memory_make_the_module_of_a_file(place: Place, tmp_path: Path) -> None:
    said: list[str] = []
    run = train(place, tmp_path / "a", pd.DataFrame(ROWS, columns=["source", "target"]),
                report=said.append)  # fmt: skip
    train(place, tmp_path / "b", place.data)
    one, two = (tensor_file(tmp_path / n).read_bytes() for n in "ab")
    assert one == two
    assert said[0] == "in-memory: column 'source' is read as en and column 'target' is read as de"
    [data] = run.manifest.data
    [file] = read_json(tmp_path / "b" / "xadapt.json")["data"]
    assert (data.name, data.rows, data.sha256) == ("in-memory", 54, file["sha256"])
    again = train(place, tmp_path / "a", ROWS, resume=True)
    assert again.reused and again.history.steps
    for other, differs in ((ROWS[1:], "data"), ([*ROWS[:-1], ("a", "b")], "data")):
        with pytest.raises(UserError, match=f"finished module of another {differs}"):
            train(place, tmp_path / "a", other, resume=True)


def test_an_interrupted_run_goes_on_with_the_same_rows_alone(place: Place, tmp_path: Path) -> None:
    class Breaks(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train(place, tmp_path / "a", callbacks=Breaks)
    for rows in (ROWS[1:], [(pivot, text.upper()) for pivot, text in ROWS]):
        with pytest.raises(UserError, match="this run was started with another data"):
            train(place, tmp_path / "a", rows, resume=True)
    run = train(place, tmp_path / "a", iter(ROWS), resume=True)
    whole = train(place, tmp_path / "b")
    one, two = (tensor_file(r.module).read_bytes() for r in (run, whole))
    assert one == two and not run.reused


def test_what_is_drawn_does_not_depend_on_where_the_rows_come_from(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base", mlm=True))
    texts = [row.text for row in plain(40)]
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("\n".join(texts) + "\n", encoding="utf-8")

    def trained(out: str, data: Any, **more: Any) -> bytes:
        run = xadapt.train("mlm", base=base, data=data, lang="de", out=tmp_path / out, rank=2,
                           dtype="float32", settings=("train.batch_size=8", "train.evaluations=2"),
                           **more)  # fmt: skip
        return tensor_file(run.module).read_bytes()

    class Breaks(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            raise RuntimeError("killed")

    whole = trained("file", tmp_path / "a.txt")
    assert trained("list", texts) == whole
    with pytest.raises(RuntimeError, match="killed"):
        trained("moved", tmp_path / "a.txt", callbacks=Breaks)
    assert trained("moved", tmp_path / "b.txt", resume=True) == whole


def test_options_callbacks_and_what_comes_back(place: Place, tmp_path: Path) -> None:
    run = train(
        place, tmp_path / "de", epochs=3, learning_rate=5e-4, seed=1, evaluations=6, max_length=16,
        settings={"train": {"schedule": "linear"}}, callbacks=[EarlyStoppingCallback(1)],
        dev=[{"en": p.pivot, "de": p.text} for p in pairs(30, seed=5)],
    )  # fmt: skip
    recipe = run.manifest.recipe
    assert recipe["train"]["epochs"] == 3 and recipe["train"]["schedule"] == "linear"
    assert recipe["seed"] == 1
    assert run.manifest.max_length == 16
    assert any("30 held out for development" in note for note in run.notes)
    assert run.history.steps[-1]["step"] < 12  # stopped before the end
    assert xadapt.load(str(place.base), run.module).encode("katze", "de").ndim == 1
    result = xadapt.evaluate("bitext", base=str(place.base), data=ROWS, module=run.module)
    named = pd.DataFrame(ROWS, columns=["a", "b"])
    again = xadapt.evaluate(
        "bitext", base=str(place.base), data=named, columns="a,b", module=run.module
    )
    assert result.to_dict() == again.to_dict() and result.facts["lang"] == "de"


def test_a_module_that_is_worse_than_its_base_says_so(place: Place, tmp_path: Path) -> None:
    said: list[str] = []
    run = train(place, tmp_path / "a", learning_rate=0.1, dev=place.test, report=said.append)
    assert run.warning and run.warning in run.notes and f"warning: {run.warning}" in said
    assert run.warning in (run.module / "README.md").read_text(encoding="utf-8")


def test_several_languages_and_seeds(place: Place, tmp_path: Path) -> None:
    runs = train(place, tmp_path / "two", {"de": ROWS, "nl": ROWS}, lang=None, dev_size=0)
    assert [run.folder for run in runs] == [tmp_path / "two" / tag for tag in ("de", "nl")]
    joint = train(place, tmp_path / "one", {"de": ROWS, "nl": ROWS}, lang=None, joint=True,
                  dev_size=0)  # fmt: skip
    assert joint.manifest.languages == ["de", "nl"] and len(joint.manifest.data) == 2
    seeds = train(place, tmp_path / "s", seeds=2, dev_size=0)
    assert [run.manifest.recipe["seed"] for run in seeds] == [0, 1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"dat": 3}, "did you mean 'data'"),
        ({"base": None}, "no base is given"),
        ({"lang": None}, "no language is named"),
        ({"data": None}, "NoneType is no data"),
        ({"data": []}, "there is no row in these data"),
        ({"data": [("a", None)] * 12}, "the de side of this row is empty"),
        ({"callbacks": [3]}, "int is no callback"),
        ({"callbacks": [EarlyStoppingCallback()], "dev_size": 0}, "Hold out development data"),
        ({"report_to": "tensorbord"}, "did you mean 'tensorboard'"),
        ({"settings": "data.train.options.min_score=1.1"}, "no option of a reader, such as min_s"),
        ({"joint": True}, "joint does nothing for one language"),
        ({"max_length": 10_000}, "the base takes at most 48 tokens"),
        ({"seeds": 2, "seed": 3}, "seeds and seed are both given"),
        ({"dev": []}, "in-memory dev: there is no row in these data"),
    ],
)
def test_mistakes_leave_nothing_behind(more: Any, said: str, place: Place, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        train(place, tmp_path / "new" / "out", **more)
    assert everything(tmp_path) == []


def test_other_records_are_trained_and_evaluated_from_memory(place: Place, tmp_path: Path) -> None:
    rows = [{"text": r.text, "label": r.label} for r in labelled(60)]
    given = {"base": str(place.base), "lang": "de", "dtype": "float32", "epochs": 1}
    texts = xadapt.train("classification", data=rows, out=tmp_path / "c", **given)
    result = xadapt.evaluate("classification", base=str(place.base), data=rows, module=texts.module)
    assert result.count == 60 and texts.manifest.head is not None
    records = tagged(60)
    words = xadapt.train("ner", data=records, out=tmp_path / "n", **{**given, "lang": None})
    assert words.manifest.languages == ["de"]
    result = xadapt.evaluate("tagging", base=str(place.base), data=records, module=words.module)
    assert result.count == 60


def test_the_log_is_shown_where_a_person_watches(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(place, tmp_path / "a", dev_size=0)
    assert capsys.readouterr().err == ""
    train(place, tmp_path / "b", show=True, dev_size=0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"training de on {place.base}: reading the data and the base"
    assert any("pairs to train on" in line for line in lines)


def test_tune_takes_what_train_takes(place: Place, tmp_path: Path) -> None:
    rows = [tuple(line.split("\t")) for line in place.data.read_text().splitlines()]
    result = xadapt.tune(
        "translation_ranking",
        base=str(place.base),
        data=rows,
        lang="de",
        out=tmp_path / "out",
        trials=2,
        params={"learning_rate": (1e-4, 1e-2, "log")},
        rank=2,
        settings={"dtype": "float32"},
    )
    assert len(result.trials) == 2 and result.recipe.module.options()["rank"] == 2
    assert xadapt.load(str(place.base), result.module).encode(["katze"], ["de"]).shape[0] == 1
    with pytest.raises(UserError, match="did you mean 'trials'"):
        xadapt.tune("mlm", base="mini", data="x", lang="de", out=tmp_path / "o", trails=3)
