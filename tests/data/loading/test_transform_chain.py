"""Transforms of a recipe on real files: order, types, callables, development data, the log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from tiny_commands import write_tsv
from tiny_training import pairs

from xadapt.config.recipe import DataSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, load_records, read_pairs
from xadapt.data.loading.transform_chain import Chain
from xadapt.data.records import (
    OpenTriples,
    ParallelPair,
    PlainText,
    RelationExample,
    TaggedSentence,
)
from xadapt.data.transforms.shuffle import shuffle_pairs

TREE = """1\t{}\t_\tNOUN\t_\t_\t2\tnsubj\t_\t_
2\truns\t_\tVERB\t_\t_\t0\troot\t_\t_

"""


@dataclass(frozen=True)
class BackTranslate:
    """Pairs of plain text and its translation.

    Attributes:
        repeat: How often.
    """

    repeat: int = 1
    consumes: ClassVar[type] = PlainText
    gives: ClassVar[type] = ParallelPair
    needs: ClassVar[tuple[str, ...]] = ("translate",)
    applies: ClassVar[str] = "all"

    def apply(self, records, services):
        texts = [r.text for r in records]
        made = services["translate"](texts, services.lang, services.pivot_lang)
        rows = [
            ParallelPair(t, p, services.lang, services.pivot_lang)
            for t, p in zip(texts, made, strict=True)
        ]
        return rows * self.repeat


@dataclass(frozen=True)
class Liar(BackTranslate):
    """Gives something else than it says."""

    needs: ClassVar[tuple[str, ...]] = ()

    def apply(self, records, services):
        return list(records)


@pytest.fixture
def strange(monkeypatch):
    """Two transforms of another package."""
    own = {"back_translate": BackTranslate, "liar": Liar}
    names, load = registry.names, registry.load
    monkeypatch.setattr(
        registry, "names", lambda room: (*names(room), *(own if room == "transforms" else ()))
    )
    monkeypatch.setattr(
        registry, "load", lambda room, name: own[name] if name in own else load(room, name)
    )


@pytest.fixture
def lines(tmp_path: Path) -> Source:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"satz nummer {i}\n" for i in range(30)), encoding="utf-8")
    return Source(str(path), "de")


@pytest.fixture
def data(tmp_path: Path) -> Source:
    return Source(str(write_tsv(tmp_path / "pairs.tsv", pairs(60))), "de")


@pytest.fixture
def trees(tmp_path: Path) -> Source:
    rain = "1\tRain\t_\tNOUN\t_\t_\t0\troot\t_\t_\n\n"
    names = [f"w{i}" for i in range(20)]
    file = tmp_path / "a.conllu"
    file.write_text("".join(map(TREE.format, [*names, "w0"])) + rain, encoding="utf-8")
    return Source(str(file), "en")


def upper(texts, source, target):
    assert (source, target) == ("de", "en")
    return [f"{text} translated".upper() for text in texts]


def test_a_chain_translates_filters_and_holds_out_pairs(strange, lines: Source) -> None:
    chain = [{"name": "back_translate", "repeat": 2}, "pair_filter"]
    spec = {"train": DataSpec(reader="plain_text", transforms=chain, dev=3)}
    loaded = load_records([lines], spec, callables={"translate": upper})
    rows = [*loaded.records["train"], *loaded.dev]
    assert sorted(r.text for r in rows) == sorted(f"satz nummer {i}" for i in range(30))
    assert all(r.pivot == f"{r.text} translated".upper() for r in rows) and len(loaded.dev) == 3
    assert loaded.notes == [
        "de: 60 pairs by back_translate of 30 lines",
        "de: 30 of 60 pairs kept (30 duplicate dropped)",
        "27 pairs to train on, 3 held out for development",
    ]


def test_given_development_data_take_the_same_form(strange, lines: Source, tmp_path: Path) -> None:
    dev = tmp_path / "dev.txt"
    dev.write_text("satz nummer 4\nsatz nummer 99\n", encoding="utf-8")
    spec = {"train": DataSpec(reader="plain_text", transforms=["back_translate"])}
    held = [Source(str(dev), "de")]
    loaded = load_records([lines], spec, held, callables={"translate": upper})
    assert [r.text for r in loaded.dev] == ["satz nummer 4", "satz nummer 99"]
    assert {type(r) for r in loaded.dev} == {ParallelPair} and len(loaded.records["train"]) == 29


def test_a_transform_without_its_callable_is_refused_before_anything_is_read(strange) -> None:
    spec = {"train": DataSpec(reader="plain_text", transforms=["back_translate"])}
    with pytest.raises(
        UserError, match=r"back_translate needs 'translate'.*none is given"
    ) as found:
        load_records([Source("/there/is/none", "de")], spec)
    assert 'callables={"translate": function}' in str(found.value)


def test_a_transform_that_gives_another_type_than_it_says_is_named(strange, lines) -> None:
    spec = {"train": DataSpec(reader="plain_text", transforms=["liar"])}
    with pytest.raises(UserError, match="liar says that it gives ParallelPair, and gave PlainText"):
        load_records([lines], spec)


def test_only_training_pairs_are_shuffled_and_the_same_each_time(data: Source) -> None:
    plain = load_records([data], {"train": DataSpec(dev=6, transforms=[])})
    spec = {"train": DataSpec(dev=6, transforms=["shuffle"])}
    loaded, again = load_records([data], spec), load_records([data], spec)
    real = {(p.text, p.pivot) for p in pairs(60)}
    assert loaded.dev == plain.dev and all((p.text, p.pivot) in real for p in loaded.dev)
    assert not real & {(p.text, p.pivot) for p in loaded.records["train"]}
    assert loaded.records["train"] == shuffle_pairs(plain.records["train"], seed=0)
    assert again.sha256 == loaded.sha256 != plain.sha256
    assert load_records([data], spec, seed=1).sha256 != loaded.sha256


def test_options_of_the_filter_count(data: Source) -> None:
    spec = DataSpec(dev=0, transforms=[{"name": "pair_filter", "max_chars": 20}])
    rows = load_records([data], {"train": spec}).records["train"]
    short = [p for p in pairs(60) if max(len(p.text), len(p.pivot)) <= 20]
    assert rows == [p for p in load_records([data], {"train": DataSpec(dev=0)}).records["train"]
                    if p in short]  # fmt: skip
    assert 0 < len(rows) < 60


def test_no_transforms_give_the_records_as_they_are(data: Source) -> None:
    loaded = load_records([data], {"train": DataSpec(dev=0, transforms=[])})
    assert loaded.records["train"] == read_pairs(data) and "de: 60 pairs" in loaded.notes


def test_open_extractions_are_made_of_trees(trees: Source, tmp_path: Path) -> None:
    dev = tmp_path / "dev.conllu"
    dev.write_text(TREE.format("w3"), encoding="utf-8")
    size = {"predicates": 22, "arguments": 21}
    for find, kind in (("predicates", TaggedSentence), ("arguments", OpenTriples)):
        chain = [{"name": "open_ie", "find": find}]
        spec = DataSpec(reader="conllu_trees", transforms=chain, dev=4)
        assert spec == DataSpec(reader="conllu_trees", maker=f"open_ie_{find}", dev=4)
        loaded = load_records([trees], {"train": spec})
        train = loaded.records["train"]
        assert {type(row) for row in (*train, *loaded.dev)} == {kind}
        assert len(train) + len(loaded.dev) == size[find] and len(loaded.dev) == 2
        assert not {row.words for row in train} & {row.words for row in loaded.dev}
        assert loaded.notes[0] == f"en: {size[find]} sentences by open_ie of 22 trees"
        given = load_records([trees], {"train": spec}, [Source(str(dev), "en")])
        assert {row.words[0] for row in given.dev} == {"w3"}
        assert len(given.records["train"]) == size[find] - 1
        few = load_records([trees], {"train": spec.model_copy(update={"limit": 8, "dev": 0})})
        assert few.notes[0].endswith("of 8 trees") and few.dev == []


def test_a_chain_that_leaves_nothing_says_why(tmp_path: Path) -> None:
    file = tmp_path / "a.conllu"
    file.write_text("1\tRain\t_\tNOUN\t_\t_\t0\troot\t_\t_\n", encoding="utf-8")
    spec = DataSpec(reader="conllu_trees", transforms=["open_ie"])
    with pytest.raises(UserError, match="open_ie left nothing to train on") as found:
        load_records([Source(str(file), "en")], {"train": spec})
    assert found.value.where == str(file)


@pytest.mark.parametrize(
    ("to", "kind"),
    [("parallel", ParallelPair), ("tagged", TaggedSentence), ("relations", RelationExample)],
)
def test_facts_of_the_graph_become_sentences(to: str, kind: type) -> None:
    chain = [{"name": "verbalise", "to": to}]
    spec = DataSpec(reader="cldr_facts", transforms=chain, limit=50, dev=0)
    loaded = load_records([Source("cldr", "de")], {"train": spec})
    assert {type(row) for row in loaded.records["train"]} == {kind}
    assert loaded.notes[0].endswith(" by verbalise of 50 facts")


def test_names_of_other_graphs_are_handed_in(strange) -> None:
    asked = []

    def labels(lang):
        asked.append(lang)
        return {"territory:DE": f"D-{lang}", "currency:EUR": f"E-{lang}"}

    spec = DataSpec(reader="cldr_facts", transforms=["verbalise"], dev=0)
    source = replace(Source("cldr:all", "de"), pivot_lang="fr")
    loaded = load_records([source], {"train": spec}, callables={"labels": labels})
    [row] = loaded.records["train"]
    assert "D-de" in row.text and "E-fr" in row.pivot and asked == ["de", "fr"]


def test_types_that_do_not_fit_are_refused_before_anything_is_read() -> None:
    spec = DataSpec(reader="conll", transforms=["open_ie"])
    with pytest.raises(UserError, match=r"conll gives TaggedSentence, .*open_ie consumes Parsed"):
        load_records([Source("/there/is/none", "de")], {"train": spec})


def test_a_chain_knows_which_transforms_come_before_the_development_part() -> None:
    chain = Chain.of(DataSpec(transforms=["pair_filter", "shuffle", "pair_filter"]))
    assert chain._split == 1 and len(chain.steps) == 3
