from __future__ import annotations

import gc
import shutil
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import Place, good, write_tsv
from tiny_models import MANY, TEXTS, tiny_encoder, tiny_folder
from tiny_training import hooks_do_nothing, module_for, pairs, shaken

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.windows import CutNotice
from xadapt.composition.values import ByLanguage, Mix, Stack
from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder


@pytest.fixture(scope="module")
def two(place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path, Path]:
    folder = tmp_path_factory.mktemp("modules")
    good(*place.train(folder / "de"))
    data = write_tsv(folder / "sw.tsv", pairs(40, seed=4))
    given = ("--base", place.base, "--data", data, "--lang", "sw", "--out", folder / "sw")
    good("train", "translation_ranking_bottleneck", *given, "--set", "module.width=4")
    return place, folder / "de", folder / "sw"


def adapted(family: str) -> AdaptedEncoder:
    encoder = tiny_encoder(family)
    de = shaken(module_for(encoder), 1)
    sw = shaken(module_for(encoder, "bottleneck", width=4), 2)
    return AdaptedEncoder(encoder, {"de": de, "sw": sw})


@pytest.mark.parametrize("family", ["bert", "deberta-v3", "modernbert", "t5", "m2m100"])
def test_mixed_languages_are_as_separate_ones(family: str) -> None:
    both = adapted(family)
    tags = [("de", "sw", None)[i % 3] for i in range(len(MANY))]
    mixed = both.encode(MANY, tags)
    for tag in ("de", "sw", None):
        rows = [i for i, t in enumerate(tags) if t == tag]
        apart = both.encode([MANY[i] for i in rows], [tag] * len(rows))
        # the states of this random model reach 3: 1e-5 of the largest
        np.testing.assert_allclose(mixed[rows], apart, rtol=0, atol=1e-5 * np.abs(apart).max())
    plain = both.encode(MANY, [None] * len(MANY))
    changed = np.abs(mixed - plain).max(axis=1) > 1e-3
    assert [bool(c) for c in changed] == [tag is not None for tag in tags]


def test_rows_without_a_module_are_the_base_bitwise() -> None:
    both = adapted("bert")
    base = encode(tiny_encoder("bert"), MANY).numpy()
    tags = ["de", *[None] * (len(MANY) - 1)]
    np.testing.assert_array_equal(both.encode(MANY, tags)[1:], base[1:])
    np.testing.assert_array_equal(both.encode(MANY, [None] * len(MANY)), base)


def test_a_language_without_a_module_is_the_base_and_can_be_asked_for() -> None:
    both = adapted("bert")
    np.testing.assert_array_equal(
        both.encode(MANY, ["fr"] * len(MANY)), both.encode(MANY, [None] * len(MANY))
    )
    assert both.bare(["de", "fr", None, "deu", "fr"]) == ["fr"]


def test_tags_are_brought_to_one_form() -> None:
    both = adapted("bert")
    np.testing.assert_array_equal(both.encode(["cat"], ["deu"]), both.encode(["cat"], ["de"]))


def test_without_languages_the_only_module_acts_and_two_are_asked_about() -> None:
    encoder = tiny_encoder("bert")
    one = shaken(module_for(encoder), 1)
    joint = AdaptedEncoder(encoder, {"de": one, "nl": one})
    np.testing.assert_array_equal(joint.encode(MANY), joint.encode(MANY, ["nl"] * len(MANY)))
    with pytest.raises(UserError, match=r"Give a language for each text \(de, sw\)"):
        adapted("bert").encode(MANY)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(UserError, match="2 texts and 1 languages"):
        adapted("bert").encode(["a", "b"], ["de"])


def test_no_texts_give_no_rows() -> None:
    encoder = tiny_encoder("bert")
    one = AdaptedEncoder(encoder, {"de": module_for(encoder)})
    assert one.encode([]).shape == one.encode([], []).shape == (0, 32)


def test_progress_counts_every_text() -> None:
    seen: list[int] = []
    adapted("bert").encode(MANY, ["de"] * len(MANY), batch_tokens=16, progress=seen.append)
    assert sum(seen) == len(MANY) and len(seen) > 2


def test_folders_load_for_the_languages_of_their_manifests(two: tuple[Place, Path, Path]) -> None:
    place, de, sw = two
    both = AdaptedEncoder.load(str(place.base), str(de), str(sw), dtype="float32")
    alone = AdaptedEncoder.load(str(place.base), str(sw), dtype="float32")
    mixed = both.encode(["cat", "paka", "dog"], ["de", "sw", None])
    np.testing.assert_allclose(mixed[1], alone.encode(["paka"], ["sw"])[0], atol=1e-5)
    assert both.composition == ByLanguage({"de": str(de), "sw": str(sw)})


def test_another_base_is_refused_and_what_differs_is_named(
    two: tuple[Place, Path, Path], tmp_path: Path
) -> None:
    _, de, _ = two
    for number, (changes, said) in enumerate(
        [({"seed": 1}, "weights"), ({"num_hidden_layers": 2}, "layer"), ({"family": "roberta"}, "")]
    ):
        other = tiny_folder(tmp_path / str(number), **changes)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=f"another base: .*{said}") as error:
            AdaptedEncoder.load(str(other), str(de))
        assert error.value.where == str(de)


def test_two_modules_for_a_language_are_refused_before_the_base_is_loaded(
    two: tuple[Place, Path, Path], tmp_path: Path
) -> None:
    _, de, _ = two
    other = shutil.copytree(de, tmp_path / "a=b")
    with pytest.raises(UserError, match="two modules are for language 'de'"):
        AdaptedEncoder.load("no/such-base", str(de), str(other))
    with pytest.raises(UserError, match="two modules are named"):
        AdaptedEncoder.load("no/such-base", str(de), str(de))


def test_what_is_no_module_is_told_before_the_base_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such module folder"):
        AdaptedEncoder.load("no/such-base", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"has no file xadapt\.json"):
        AdaptedEncoder.load("no/such-base", str(tmp_path))


MIXED = [
    Stack("de", "sw"),
    None,
    Mix({"de": 0.5, "sw": -0.5}),
    "sw",
    Stack(Mix({"sw": 0.5, Stack("sw", "de"): 0.5}), "de"),
]


@pytest.mark.parametrize("family", ["bert", "deberta-v3", "modernbert", "t5", "m2m100"])
def test_a_composition_for_each_row_is_as_separate_runs(family: str) -> None:
    both = adapted(family)
    given = [MIXED[i % len(MIXED)] for i in range(len(MANY))]
    mixed = both.encode(MANY, compositions=given)
    for composition in MIXED:
        rows = [i for i, own in enumerate(given) if own == composition]
        apart = both.encode([MANY[i] for i in rows], compositions=[composition] * len(rows))
        np.testing.assert_allclose(mixed[rows], apart, rtol=0, atol=1e-5 * np.abs(apart).max())
        through = both.with_(composition) if composition else both
        tags = None if composition else [None] * len(rows)
        np.testing.assert_array_equal(apart, through.encode([MANY[i] for i in rows], tags))


def test_languages_open_the_choices_of_a_composition() -> None:
    both = adapted("bert")
    task = both.with_("by_language(sw = sw, * = none) + de")
    tags = [("sw", "fr", None)[i % 3] for i in range(len(MANY))]
    expected = both.encode(
        MANY, compositions=[{"sw": Stack("sw", "de"), "fr": "de", None: None}[t] for t in tags]
    )
    np.testing.assert_array_equal(task.encode(MANY, tags), expected)
    assert task.bare(["sw", "fr"]) == [] and both.with_("by_language(sw = sw)").bare(["fr"])
    with pytest.raises(UserError, match="Give a language for each text"):
        task.encode(MANY)


def test_between_calls_the_encoder_is_bare() -> None:
    both = adapted("bert")
    both.encode(MANY, ["de"] * len(MANY))
    with pytest.raises(UserError, match="2 texts and 1 compositions"):
        both.encode(["a", "b"], compositions=["de"])
    assert hooks_do_nothing(both.encoder)


def test_names_of_a_composition_are_folders_or_given(two: tuple[Place, Path, Path]) -> None:
    place, de, sw = two
    load = lambda *f, compose: AdaptedEncoder.load(  # noqa: E731
        str(place.base), *f, compose=compose, dtype="float32"
    )
    by_path = load(compose=f'mix("{de}":.5, "{sw}":.5)')
    by_name = load(f"a={de}", f"b={sw}", compose="mix(a:.5, b:.5)")
    by_tag = load(str(de), str(sw), compose="mix(lang:deu:.5, lang:swh:.5)")
    for other in (by_name, by_tag):
        np.testing.assert_array_equal(other.encode(MANY), by_path.encode(MANY))
    for folders, compose, said in (
        ((str(de),), "lang:fr", "no module is for language 'fr'"),
        ((str(de), f"x={de}"), "lang:de", "several modules are for language 'de'"),
        ((str(de),), "nowhere + x", "no such module folder"),
        ((f"a={de}", f"a={sw}"), "a", "two modules are named 'a'"),
        ((), "a +", "name is missing"),
    ):
        with pytest.raises(UserError, match=said):
            AdaptedEncoder.load("no/such-base", *folders, compose=compose)
    with pytest.raises(UserError, match="the composition names 'x'"):
        by_name.with_("a + x")


def test_a_module_added_is_one_loaded_at_once(two: tuple[Place, Path, Path]) -> None:
    place, de, sw = two
    load = lambda *f: AdaptedEncoder.load(str(place.base), *f, dtype="float32")  # noqa: E731
    at_once, grown, empty = load(f"a={de}", f"b={sw}"), load(f"a={de}"), load()
    grown.add("b", sw)
    empty.add("a", str(de))
    empty.add("b", sw)
    tags = [("de", "sw", None)[i % 3] for i in range(len(MANY))]
    wanted = at_once.encode(MANY, tags)
    for other in (grown, empty):
        assert other.composition == at_once.composition and other.fallbacks == at_once.fallbacks
        np.testing.assert_array_equal(other.encode(MANY, tags), wanted)
    empty.remove("b")
    assert empty.composition == load(f"a={de}").composition and list(empty.modules) == ["a"]
    assert empty.bare(["de", "sw"]) == ["sw"]
    with pytest.raises(UserError, match="two modules are for language 'sw', c and b"):
        grown.add("c", sw)
    assert list(grown.modules) == ["a", "b"]


def test_a_module_removed_is_gone_and_its_memory_free() -> None:
    both = adapted("bert")
    both.encode(MANY, ["sw"] * len(MANY))
    both.encode(MANY, compositions=[Stack("de", "sw")] * len(MANY))
    base = both.encode(MANY, [None] * len(MANY))
    last = weakref.ref(both.modules["sw"])
    both.remove("sw")
    gc.collect()
    assert last() is None and both.composition == ByLanguage({"de": "de"})
    np.testing.assert_array_equal(both.encode(MANY, ["sw"] * len(MANY)), base)
    with pytest.raises(UserError, match="no module 'sw'"):
        both.encode(MANY, compositions=["sw"] * len(MANY))
    both.add("sw", shaken(module_for(both.encoder, "bottleneck", width=4), 2))
    tags = [("de", "sw")[i % 2] for i in range(len(MANY))]
    np.testing.assert_array_equal(both.encode(MANY, tags), adapted("bert").encode(MANY, tags))


def test_names_that_clash_or_are_needed_are_refused(two: tuple[Place, Path, Path]) -> None:
    both = adapted("bert")
    before = both.composition
    for name, said in (("de", "a module named 'de' already"), ("arrow", "can't be named 'arrow'")):
        with pytest.raises(UserError, match=said):
            both.add(name, module_for(both.encoder))
    with pytest.raises(UserError, match="another base"):
        AdaptedEncoder(tiny_encoder("bert", seed=1), {}).add("x", two[1])
    with pytest.raises(UserError, match="no module named 'x'"):
        both.remove("x")
    task = both.with_("by_language(sw = sw) + de")
    with pytest.raises(UserError, match="the composition names 'sw'"):
        task.remove("sw")
    task.add("x", module_for(both.encoder))
    assert "x" not in both.modules and both.composition == before
    assert task.composition == both.with_("by_language(sw = sw) + de").composition
    task.remove("x")
    assert list(task.modules) == ["de", "sw"]


def test_merged_is_unmerged_and_runs_alone() -> None:
    both = adapted("bert")
    both.add("nl", shaken(module_for(both.encoder, rank=3), 3, 0.1))
    value = Mix({"de": 0.1, "nl": 0.5})
    task, base = both.with_(value), both.encode(MANY, [None] * len(MANY))
    wanted = task.encode(MANY)
    assert np.abs(wanted - base).max() > 1e-2
    with both.merged(value) as one, pytest.raises(UserError, match="a row wants"):
        found = one.encode(MANY)
        np.testing.assert_array_equal(task.encode(MANY), found)
        both.encode(MANY, ["de"] * len(MANY))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    with task.merged() as one:
        np.testing.assert_array_equal(one.encode(MANY), found)
    with both.with_("by_language(de = nl)").merged() as one:
        assert one.composition == "nl"
    with pytest.raises(UserError, match="Give a language for each text"), both.merged():
        pass
    with pytest.raises(UserError, match="only LoRAs"), both.merged("sw"):
        pass
    np.testing.assert_array_equal(both.encode(MANY, [None] * len(MANY)), base)


def test_with_none_is_the_bare_base() -> None:
    encoder = tiny_encoder()
    adapted = AdaptedEncoder(encoder, {"de": shaken(module_for(encoder), 1, 0.2)})
    bare = AdaptedEncoder(encoder, {}).encode(TEXTS)
    for nothing in ("none", None):
        own = adapted.with_(nothing)
        assert np.array_equal(own.encode(TEXTS), bare)
        assert np.array_equal(own.encode(TEXTS, ["de"] * len(TEXTS)), bare)
    assert not np.allclose(adapted.encode(TEXTS), bare, atol=1e-3)


def test_names_that_read_as_a_composition_are_names() -> None:
    """A folder may be called ``a_+_b`` or ``none``."""
    encoder = tiny_encoder()
    modules = {
        "out/a_+_b": shaken(module_for(encoder), 1),
        "none": shaken(module_for(encoder), 2),
    }
    choice = ByLanguage({"de": "out/a_+_b", "sw": "none"})
    adapted = AdaptedEncoder(encoder, modules, choice)
    for tag in ("de", "sw"):
        wanted = adapted.encode(TEXTS, tag)
        assert abs(wanted - encode(encoder, TEXTS).numpy()).max() > 1e-3
        one = adapted.for_language(tag)
        assert (one.encode(TEXTS) == wanted).all()
        with one.merged() as inside:
            assert abs(inside.encode(TEXTS) - wanted).max() < 1e-4


def test_one_text_is_one_vector_and_one_tag_is_for_all_rows() -> None:
    both = adapted("bert")
    texts = ["Guten Tag", "die katze"]
    rows = both.encode(texts, ["de", "de"])
    np.testing.assert_array_equal(both.encode(texts, "de"), rows)
    one = both.encode("Guten Tag", "de")
    assert one.shape == (rows.shape[1],) and np.abs(one - rows[0]).max() < 1e-5
    np.testing.assert_array_equal(one, both.encode(["Guten Tag"], ["de"])[0])
    np.testing.assert_array_equal(one, both.encode("Guten Tag", ["de"]))
    np.testing.assert_array_equal(both.encode(texts, compositions="de"), rows)
    np.testing.assert_array_equal(one, both.encode("Guten Tag", compositions="de"))
    assert both.bare("fr") == ["fr"] and both.notices("fr") == both.notices(["fr"])


@pytest.mark.parametrize(
    ("texts", "languages", "said"),
    [
        (["a", None], None, "text 1 is nothing"),
        (["a", b"b"], ["de", "de"], "text 1 is bytes"),
        (["a", float("nan")], "de", "text 1 is float"),
        (["a", "b"], ["de", 3], "language 1 is int"),
        ("a", ["de", "sw"], "1 texts and 2 languages"),
    ],
)
def test_what_is_no_list_of_texts_is_one_line(texts, languages, said) -> None:
    with pytest.raises(UserError, match=said):
        adapted("bert").encode(texts, languages)


LONG = "die katze sitzt auf der matte " * 20


def test_a_long_text_is_read_in_windows_through_its_own_module() -> None:
    both = adapted("bert")
    texts, tags = [LONG, "ein hund", LONG, "mbwa", LONG], ["de", "de", None, "sw", "sw"]
    for how in ("mean", "max"):
        mixed = both.encode(texts, tags, windows=how)
        for row, (text, tag) in enumerate(zip(texts, tags, strict=True)):
            [alone] = both.encode([text], [tag], windows=how)
            np.testing.assert_allclose(mixed[row], alone, rtol=0, atol=1e-5 * np.abs(alone).max())
        with pytest.warns(CutNotice):
            np.testing.assert_array_equal(both.encode(texts, tags)[[1, 3]], mixed[[1, 3]])
    with pytest.raises(UserError, match="did you mean 'mean'"):
        both.encode(texts, tags, windows="meen")


def test_the_first_window_is_the_default_and_cut_texts_are_counted_once() -> None:
    both = adapted("bert")
    with pytest.warns(CutNotice, match="^2 of 3 texts are longer than the 48 tokens") as told:
        found = both.encode([LONG, "ein hund", LONG], "de")
    assert len(told) == 1
    with pytest.warns(CutNotice):
        np.testing.assert_array_equal(both.encode([LONG, "ein hund", LONG], "de", windows="first"),
                                      found)  # fmt: skip
    with pytest.warns(CutNotice, match="^1 of 1 text is longer than the 12 tokens"):
        both.max_seq_length = 12
        both.encode(LONG, "de")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert both.encode(["ein hund", ""], "de").shape[0] == 2
        assert both.encode([], "de", windows="mean").shape[0] == 0
