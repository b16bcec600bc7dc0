import json

import numpy as np
import pytest
from tiny_commands import Place, good, xadapt

import xadapt as package
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import AlignedWords
from xadapt.tasks import alignment
from xadapt.tasks.words import DIAGONAL, Part, _diagonal

ROWS = [
    AlignedWords(("a", "b"), ("x", "y"), ((0, 0), (1, 1)), ((0, 1),), "en", "de"),
    AlignedWords(("c",), ("z", "w"), ((0, 1),), (), "en", "de"),
]


def test_scores_by_hand():
    result = Part.evaluate(ROWS, {"one": [[(0, 0), (0, 1)], [(0, 0)]]}, resamples=20)
    row = result["one"]
    # Found 3, sure 3, found sure 1, found possible 2.
    assert row.more["aer"] == pytest.approx(1 - 3 / 6)
    assert row.scores["1 - AER"].mean == pytest.approx(0.5)
    assert row.scores["precision"].mean == pytest.approx(2 / 3)
    assert row.scores["recall"].mean == pytest.approx(1 / 3)
    assert (result.facts["sure"], result.facts["possible"]) == (3, 1)


def test_the_interval_is_of_the_whole_set_not_a_mean_over_pairs():
    rows = [ROWS[0], *[ROWS[1]] * 3]
    found = [[(0, 0), (1, 1)], [], [], []]
    result = Part.evaluate(rows, {"one": found}, resamples=50)
    assert result["one"].scores["recall"].mean == pytest.approx(2 / 5)
    assert result["one"].scores["recall"].low < 2 / 5 < result["one"].scores["recall"].high


def test_the_diagonal():
    assert _diagonal(2, 2) == [(0, 0), (1, 1)]
    assert _diagonal(4, 2) == [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert _diagonal(1, 3) == [(0, 0), (0, 1), (0, 2)]
    assert DIAGONAL in Part.evaluate(ROWS, {}, resamples=5)


def test_what_can_not_be_scored_is_refused():
    with pytest.raises(UserError, match="no sentence pairs"):
        Part.evaluate([], {})
    with pytest.raises(UserError, match="links 1 pairs, and there are 2"):
        Part.evaluate(ROWS, {"one": [[]]})
    nothing = [AlignedWords(("a",), ("b",), (), ((0, 0),), "en", "de")]
    with pytest.raises(UserError, match="no pair has a sure link"):
        Part.evaluate(nothing, {})


@pytest.fixture(scope="module")
def gold(place: Place, tmp_path_factory):
    path = tmp_path_factory.mktemp("gold") / "en-de.tsv"
    rows = [line.split("\t") for line in place.test.read_text(encoding="utf-8").splitlines()][:12]
    lines = [
        f"{a}\t{b}\t{' '.join(f'{i}-{i}' for i in range(min(len(a.split()), len(b.split()))))}\t\n"
        for a, b in rows
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def module(place: Place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m") / "de"
    good(*place.train(folder))
    return folder


def test_base_and_module_on_the_command_line(place, gold, module, tmp_path):
    given = ("evaluate", "words", "--base", place.base, "--data", gold)
    done = good(*given, "--module", module, "--json", tmp_path / "r.json")
    told = read_json(tmp_path / "r.json")
    names = [alignment.BASE, alignment.LANGUAGE, alignment.BOTH, DIAGONAL]
    assert [row["system"] for row in told["rows"]] == names
    assert (told["left_lang"], told["right_lang"], told["lang"]) == ("en", "de", None)
    assert told["rows"][0]["aligning"]["layer"] == 3 and told["rows"][1]["gains"]
    assert max(map(len, done.out.splitlines())) <= 80 and "AER" in done.out
    good(*given, "--json", tmp_path / "b.json", "--method", "itermax", "--layer", 1)
    alone = read_json(tmp_path / "b.json")
    assert [row["system"] for row in alone["rows"]] == [alignment.BASE, DIAGONAL]
    assert alone["rows"][0]["aligning"]["method"] == "itermax"


def test_python_equals_the_command_line_and_takes_data_in_memory(place, gold, module, tmp_path):
    result = package.evaluate("words", base=str(place.base), data=gold, module=module)
    rows = [
        {"source": left, "target": right, "links": links}
        for left, right, links, _ in (
            line.split("\t") for line in gold.read_text(encoding="utf-8").splitlines()
        )
    ]
    other = package.evaluate(
        "words", base=str(place.base), data=rows, module=module, first="en", lang="de"
    )
    for name in (alignment.BASE, alignment.LANGUAGE, alignment.BOTH):
        assert result[name].more["aer"] == pytest.approx(other[name].more["aer"])


def test_layer_and_method_are_chosen_on_development_pairs_alone(place, gold, tmp_path):
    dev = tmp_path / "en-de.dev.tsv"
    dev.write_text("\n".join(gold.read_text(encoding="utf-8").splitlines()[:5]), encoding="utf-8")
    base = str(place.base)
    chosen = package.evaluate("words", base=base, data=gold, dev=str(dev))
    way = chosen[alignment.BASE].more["aligning"]
    assert chosen.facts["dev"] == 5
    on_dev = {
        (layer, method): package.evaluate("words", base=base, data=dev, layer=layer, method=method)[
            alignment.BASE
        ].more["aer"]
        for layer in (1, 2, 3, 4)
        for method in ("argmax", "itermax")
    }
    threshold = way["threshold"]
    again = package.evaluate(
        "words", base=base, data=dev, layer=way["layer"], method=way["method"],
        units=way["units"], **({} if threshold is None else {"threshold": threshold}),
    )  # fmt: skip
    assert again[alignment.BASE].more["aer"] <= min(on_dev.values()) + 1e-9
    kept = package.evaluate("words", base=base, data=gold, dev=str(dev), layer=2, method="argmax")
    assert kept[alignment.BASE].more["aligning"]["layer"] == 2


def test_a_baseline_is_another_composition(place, gold, module):
    result = package.evaluate(
        "words", base=str(place.base), data=gold, modules=[f"a={module}"],
        compose="a", baseline="mix(a:.5, none:.5)", lang="de",
    )  # fmt: skip
    assert result.options["base"][alignment.BOTH] == alignment.BASELINE_BOTH
    assert np.isfinite(result[alignment.BOTH].gains["1 - AER"].mean)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--layer", 9), "4 layers, so there is no layer 9"),
        (("--threshold", 0.5), "argmax has no threshold"),
        (("--method", "best"), "--method is argmax or itermax"),
        (("--baseline", "none"), "there is no module to measure"),
        (("--dev", "none.tsv"), "no such file"),
        (("--first", "sw", "--lang", "de"), "the first sentences are sw"),
    ],
)
def test_a_users_mistake_is_one_line(place, gold, tmp_path, given, said):
    data = tmp_path / "test.tsv"
    data.write_text(gold.read_text(encoding="utf-8"), encoding="utf-8")
    done = xadapt("evaluate", "words", "--base", place.base, "--data", data, *given)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err


def test_parallel_text_without_links_is_refused(place):
    done = xadapt("evaluate", "words", "--base", place.base, "--data", place.test)
    assert done.code == 2 and "2 columns, not 3 or 4" in done.err


def test_the_result_is_written_as_json(gold, place):
    result = package.evaluate("words", base=str(place.base), data=gold)
    assert json.loads(json.dumps(result.to_dict()))["rows"][0]["links"] > 0
