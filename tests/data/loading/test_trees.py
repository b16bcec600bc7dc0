from __future__ import annotations

from pathlib import Path

import pytest

from xadapt.config.recipe import DataSpec
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, load_records
from xadapt.data.loading.trees import MAKERS
from xadapt.data.records import OpenTriples, TaggedSentence

TREE = """1\t{}\t_\tNOUN\t_\t_\t2\tnsubj\t_\t_
2\truns\t_\tVERB\t_\t_\t0\troot\t_\t_

"""


def test_makers_make_records_of_trees(tmp_path: Path) -> None:
    file = tmp_path / "a.conllu"
    names = [f"w{i}" for i in range(20)]
    rain = "1\tRain\t_\tNOUN\t_\t_\t0\troot\t_\t_\n\n"
    file.write_text("".join(map(TREE.format, [*names, "w0"])) + rain, encoding="utf-8")
    dev = tmp_path / "dev.conllu"
    dev.write_text(TREE.format("w3"), encoding="utf-8")
    source, size = Source(str(file), "en"), {"predicates": 22, "arguments": 21}
    for task, kind in (("predicates", TaggedSentence), ("arguments", OpenTriples)):
        spec = DataSpec(reader="conllu_trees", maker=f"open_ie_{task}", dev=4)
        loaded = load_records([source], {"train": spec})
        train = loaded.records["train"]
        assert {type(row) for row in (*train, *loaded.dev)} == {kind}
        assert len(train) + len(loaded.dev) == size[task] and len(loaded.dev) == 2
        assert not {row.words for row in train} & {row.words for row in loaded.dev}
        assert loaded.notes[0] == f"en: {size[task]} sentences by open_ie_{task}"
        given = load_records([source], {"train": spec}, [Source(str(dev), "en")])
        assert {row.words[0] for row in given.dev} == {"w3"}
        assert len(given.records["train"]) == size[task] - 1
        few = load_records([source], {"train": spec.model_copy(update={"limit": 8, "dev": 0})})
        assert len(few.records["train"]) == 8 and few.dev == []


def test_makers_want_trees_that_say_something(tmp_path: Path) -> None:
    file = tmp_path / "a.conllu"
    file.write_text("1\tRain\t_\tNOUN\t_\t_\t0\troot\t_\t_\n", encoding="utf-8")
    spec = DataSpec(reader="conllu_trees", maker="open_ie_arguments")
    with pytest.raises(UserError, match="nothing to learn from"):
        load_records([Source(str(file), "en")], {"train": spec})
    for reader in ("conllu", "parallel"):
        other = spec.model_copy(update={"reader": reader})
        with pytest.raises(UserError, match="wants trees"):
            load_records([Source(str(file), "en")], {"train": other})


def test_every_maker_of_a_recipe_is_there() -> None:
    said = DataSpec.model_json_schema()["properties"]["maker"]["anyOf"][0]["enum"]
    assert sorted(said) == sorted(MAKERS)
