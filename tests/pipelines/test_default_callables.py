from tiny_commands import Place, good

import xadapt
from xadapt.pipelines.default_callables import default_callables


def test_align_is_by_the_bases_own_states_or_through_a_module(place: Place, de):
    pairs = [(("the", "cat", "sat"), ("die", "katze", "sitzt")), (("a", "dog"), ("ein", "hund"))]
    align = default_callables(str(place.base), "float32")["align"]
    base = str(place.base)
    assert align(pairs) == xadapt.align_words(pairs, base=base, dtype="float32")
    through = align(pairs, module=str(de))
    assert through == xadapt.align_words(pairs, base=base, modules=de, dtype="float32")


def test_tag_gives_the_spans_of_a_tagging_module(place: Place, tmp_path):
    data = tmp_path / "a.conll"
    data.write_text("Anna B-PER\nsings O\n\nBerlin B-LOC\nis O\n\n" * 8, encoding="utf-8")
    good("train", "ner", "--base", place.base, "--data", data, "--lang", "en", "--out",
         tmp_path / "ner", "--set", "module.width=2", "--set", "train.epochs=1",
         "--set", "data.train.dev=0")  # fmt: skip
    tag = default_callables(str(place.base), "float32")["tag"]
    found = tag([("Anna", "sings"), ("Berlin",)], str(tmp_path / "ner"))
    assert len(found) == 2
    assert all(0 <= a < b and kind in ("PER", "LOC") for own in found for a, b, kind in own)
