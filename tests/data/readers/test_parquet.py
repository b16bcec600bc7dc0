"""Parquet: the same records as JSON lines, for every type of record, streamed by row group."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.mapped_rows import parquet_rows
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.parallel import read_parallel

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

KINDS = {
    "plain_text": [{"id": 1, "text": "Habari za asubuhi"}, {"id": 2, "text": " "},
                   {"id": 3, "text": "Asante"}],
    "labelled_text": [{"text": "gut", "label": "pos"}, {"text": "schlecht", "label": "neg"}],
    "scored_pairs": [{"sentence1": "a", "sentence2": "b", "score": 4.5}] * 2,
    "conll": [{"tokens": ["Anna", "lacht"], "ner_tags": ["B-PER", "O"]},
              {"tokens": ["In", "Köln"], "ner_tags": ["O", "S-LOC"]}],
    "conllu": [{"tokens": ["Anna", "lacht"], "upos": ["PROPN", "VERB"]}] * 2,
    "squad": [{"context": "Anna lacht", "question": "Wer?",
               "answers": {"text": ["Anna"], "answer_start": [0]}}] * 2,
    "xnli": [{"premise": "a", "hypothesis": "b", "label": "neutral"}] * 2,
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_type_of_record_as_from_json_lines(tmp_path, name):
    rows = KINDS[name]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=1)
    reader = registry.load("readers", name)()
    found = [list(reader.read(str(tmp_path / f"a.{kind}"), "de")) for kind in ("jsonl", "parquet")]
    assert found[0] == found[1] and len(found[0]) == 2
    assert found[1][0].origin.startswith(f"{tmp_path}/a.parquet:1")


def test_pairs_with_a_nested_translation_and_with_a_score(tmp_path):
    rows = [{"translation": {"en": f"Day {i}", "de": f"Tag {i}"}, "score": i / 4} for i in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=2)
    notes = Notes()
    pairs = list(read_parallel(tmp_path / "a.parquet", lang="de", notes=notes))
    assert [(p.pivot, p.text) for p in pairs] == [(f"Day {i}", f"Tag {i}") for i in range(5)]
    assert notes.lines == ["a.parquet: key 'score' is not used"]
    some = list(read_parallel(tmp_path / "a.parquet", lang="de", options={"min_score": 0.5}))
    assert some == pairs[2:]


def test_classes_that_datasets_stores_as_numbers(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    names = ["O", "B-PER", "I-PER"]
    features = datasets.Features({
        "tokens": datasets.Sequence(datasets.Value("string")),
        "ner_tags": datasets.Sequence(datasets.ClassLabel(names=names)),
    })  # fmt: skip
    rows = {"tokens": [["Anna", "lacht"]], "ner_tags": [[1, 0]]}
    made = datasets.Dataset.from_dict(rows, features=features)
    (tmp_path / "set").mkdir()
    made.to_parquet(str(tmp_path / "set" / "train.parquet"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for source in (f"{tmp_path}/set/train.parquet", f"hf:{tmp_path}/set"):
        [sentence] = registry.load("readers", "conll")().read(source, "de")
        assert sentence.words == ("Anna", "lacht") and sentence.spans == ((0, 1, "PER"),)


def test_translations_as_two_lists(tmp_path):
    row = {"translation": {"language": ["en", "de", "fr"], "translation": ["Day", "Tag", "Jour"]}}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    [pair] = read_parallel(tmp_path / "a.parquet", lang="de")
    assert (pair.pivot, pair.text) == ("Day", "Tag")


def test_mistakes(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(UserError, match="no such file"):
        list(parquet_rows(str(path)))
    path.write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(UserError, match="can't read this Parquet file") as caught:
        list(read_parallel(path, lang="de"))
    assert caught.value.where == str(path)
    pq.write_table(pa.Table.from_pylist([{"en": "Day", "fr": "Jour"}]), path)
    with pytest.raises(UserError, match="no columns for 'en' and 'de'"):
        list(read_parallel(path, lang="de"))
    with pytest.raises(UserError, match=r"no column 'text' or 'sentence' .*\(found: 'en', 'fr'\)"):
        list(registry.load("readers", "plain_text")().read(str(path), "de"))


VALUES = st.one_of(st.none(), st.text(max_size=5), st.integers(-9, 9), st.floats(),
                   st.booleans(), st.lists(st.text(max_size=3), max_size=3),
                   st.lists(st.sampled_from(["O", "B-X", "E-X", 1]), max_size=3))  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_values_give_records_or_one_clear_error(tmp_path_factory, name, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    rows = [
        {key: data.draw(st.one_of(st.just(value), VALUES)) for key, value in row.items()}
        for row in KINDS[name]
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    try:
        found = list(registry.load("readers", name)().read(str(path), "de"))
    except UserError as error:
        assert error.where.startswith(str(path)) and "\n" not in str(error)
    else:
        assert all(record.origin for record in found)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(spots=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
def test_any_bytes_give_pairs_or_one_clear_error(tmp_path_factory, spots):
    path = tmp_path_factory.getbasetemp() / "fuzz.parquet"
    pq.write_table(pa.Table.from_pylist([{"en": "Day", "de": "Tag"}] * 9), path)
    content = bytearray(path.read_bytes())
    for place, value in spots:
        content[place % len(content)] = value
    path.write_bytes(bytes(content))
    try:
        pairs = list(read_parallel(path, lang="de"))
    except UserError as error:
        assert error.where.startswith(str(path)) and "\n" not in str(error)
    else:
        assert pairs
