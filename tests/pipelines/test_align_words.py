import numpy as np
import pytest
from tiny_commands import Place, good
from tiny_commands import xadapt as command

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.inference.word_aligner import Aligning, align_words


@pytest.fixture(scope="module")
def module(place: Place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m") / "de"
    good(*place.train(folder))
    return folder


def test_links_are_those_of_the_encoder_and_every_line_has_one(place, tmp_path):
    pairs = [("the cat sat", "die katze sitzt"), ("", "ja"), (["a", "dog"], ("ein", "hund"))]
    base = str(place.base)
    found = xadapt.align_words(pairs, base=base, dtype="float32")
    encoder = Encoder.from_pretrained(base, dtype="float32")
    full = [(["the", "cat", "sat"], ["die", "katze", "sitzt"]), (["a", "dog"], ["ein", "hund"])]
    first, second = align_words(encoder, full, Aligning())
    assert found == [first, [], second]
    path = tmp_path / "pairs.tsv"
    path.write_text("the cat sat\tdie katze sitzt\n\nx\na dog\tein hund\n", encoding="utf-8")
    with pytest.raises(UserError, match="1 column"):
        xadapt.align_words(path, base=base, out=tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()
    path.write_text("the cat sat\tdie katze sitzt\n\nx\t\na dog\tein hund\n", encoding="utf-8")
    assert xadapt.align_words(path, base=base, dtype="float32", out=tmp_path / "out.txt") == []
    lines = (tmp_path / "out.txt").read_text().split("\n")
    assert lines[0] == " ".join(f"{i}-{j}" for i, j in first)
    assert lines[1] == lines[2] == lines[4] == "" and len(lines) == 5


def test_blocks_do_not_change_links(place, monkeypatch):
    rows = [line.split("\t") for line in place.test.read_text(encoding="utf-8").splitlines()]
    whole = xadapt.align_words(rows, base=str(place.base), method="itermax")
    monkeypatch.setattr("xadapt.pipelines.align_words.BLOCK", 7)
    assert xadapt.align_words(rows, base=str(place.base), method="itermax") == whole


def test_a_module_acts_on_both_sides_or_on_its_own(place, module):
    rows = [line.split("\t") for line in place.test.read_text(encoding="utf-8").splitlines()]
    base = str(place.base)
    given = {"base": base, "modules": module, "method": "softmax", "threshold": 0.01}
    both, alone = (
        xadapt.align_words(rows, lang="de", sides=sides, **given) for sides in ("both", "language")
    )
    bare = xadapt.align_words(rows, base=base, method="softmax", threshold=0.01)
    assert both == xadapt.align_words(rows, **given)
    assert len({str(links) for links in (both, alone, bare)}) == 3
    swapped = [(b, a) for a, b in rows]
    turned = xadapt.align_words(swapped, lang="de", first="de", sides="language", **given)
    assert [sorted((j, i) for i, j in links) for links in turned] == alone


def test_a_module_of_the_other_language_acts_too_and_one_of_neither_is_refused(
    place, module, tmp_path
):
    rows = [line.split("\t") for line in place.test.read_text(encoding="utf-8").splitlines()]
    given = {"base": str(place.base), "modules": module, "method": "softmax", "threshold": 0.01}
    wanted = xadapt.align_words(rows, **given)
    assert wanted != xadapt.align_words(rows, **{**given, "modules": ()})
    for lang, pivot in (("en", "de"), ("ru", "de"), ("de", "ru")):
        assert xadapt.align_words(rows, lang=lang, pivot=pivot, **given) == wanted
    with pytest.raises(UserError, match="no module here is for ru or en: the modules are for de"):
        xadapt.align_words(rows, lang="ru", **given)
    with pytest.raises(UserError, match="no module here is for ru: "):
        xadapt.align_words(rows, lang="ru", pivot="de", sides="language", **given)
    asked = ("align-words", "--base", place.base, "--module", module, "--data", place.test)
    done = command(*asked, "--out", tmp_path / "links", "--lang", "ru")
    assert done.code == 2 and done.err.count("\n") == 1 and "no module here is for ru" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": []}, "no sentence pair"),
        ({"data": 3}, "int is no list"),
        ({"data": None}, "NoneType is no list"),
        ({"data": ["the cat"]}, "row 0 is no pair"),
        ({"data": [("a", 3)]}, "row 0 is no pair"),
        ({"data": [("a", ["b", 3])]}, "row 0 is no pair"),
        ({"method": "best"}, "method is"),
        ({"layers": 3}, "no option 'layers'"),
        ({"layer": 40}, "no layer 40"),
        ({"sides": "left"}, "sides is both or language"),
        ({"sides": "language"}, "language of the texts is not known"),
        ({"base": "nowhere/none"}, "nowhere/none"),
    ],
)
def test_mistakes_are_one_line(place, given, said):
    given = {"data": [("a", "b")], "base": str(place.base), **given}
    with pytest.raises(UserError) as fault:
        xadapt.align_words(**given)
    assert said in str(fault.value)


def test_numpy_texts(place):
    rows = np.array([["the cat", "die katze"], ["a dog", "ein hund"]])
    listed = xadapt.align_words(rows.tolist(), base=str(place.base))
    assert xadapt.align_words(rows, base=str(place.base)) == listed
