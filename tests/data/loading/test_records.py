from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_commands import write_tsv
from tiny_training import pairs

from xadapt.config.recipe import DataSpec
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.loading.records import Source, digest, limited, load_records, read_pairs, without
from xadapt.data.records import ParallelPair, PlainText, TaggedSentence

SPEC = {"train": DataSpec(dev=6)}


@pytest.fixture
def data(tmp_path: Path) -> Source:
    return Source(str(write_tsv(tmp_path / "pairs.tsv", pairs(60))), "de")


def keys(rows: list, side: str) -> set[str]:
    return {normal_key(getattr(row, side)) for row in rows}


def test_development_pairs_share_no_sentence_with_training(data: Source) -> None:
    loaded = load_records([data], SPEC)
    assert len(loaded.records["train"]) + len(loaded.dev) == 60 and len(loaded.dev) == 6
    for side in ("text", "pivot"):
        assert not keys(loaded.records["train"], side) & keys(loaded.dev, side)
    assert loaded.notes == [
        "pairs.tsv: column 1 is read as en, column 2 as de",
        "de: 60 of 60 pairs kept",
        "54 pairs to train on, 6 held out for development",
    ]


def test_the_seed_chooses_the_development_pairs_and_nothing_else_does(data: Source) -> None:
    again, other = load_records([data], SPEC), load_records([data], SPEC, seed=1)
    assert again.dev == load_records([data], SPEC).dev != other.dev
    assert again.sha256 == load_records([data], SPEC).sha256 != other.sha256


def test_given_development_pairs_leave_the_training_data(data: Source, tmp_path: Path) -> None:
    known = pairs(60)[:5]
    mixed = replace(known[0], pivot="a new sentence")  # its text is known
    file = write_tsv(tmp_path / "dev.tsv", [mixed, *known[1:]])
    loaded = load_records([data], SPEC, [Source(str(file), "de")])
    assert len(loaded.dev) == 5
    assert len(loaded.records["train"]) == 55
    for side in ("text", "pivot"):
        assert not keys(loaded.records["train"], side) & keys(loaded.dev, side)


def test_nothing_left_beside_the_development_pairs(data: Source) -> None:
    with pytest.raises(UserError, match="nothing is left to train on"):
        load_records([data], SPEC, [data])


def test_each_source_has_its_own_rows_and_hash(data: Source, tmp_path: Path) -> None:
    other = Source(str(write_tsv(tmp_path / "b.tsv", pairs(20, seed=5))), "sw")
    loaded = load_records([data, other], {"train": DataSpec(dev=0, filter=False)})
    assert [share.rows for share in loaded.shares] == [60, 20]
    assert loaded.shares[0].sha256 == digest(read_pairs(data))
    assert loaded.shares[0].sha256 != loaded.shares[1].sha256 != loaded.sha256


def test_a_second_entry_of_data_is_read_by_its_own_reader(data: Source, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("eins\nzwei\n\ndrei\n", encoding="utf-8")
    specs = {**SPEC, "mono": DataSpec(reader="plain_text")}
    more = Source(str(tmp_path / "more.txt"), "de", data="mono")
    loaded = load_records([data, more], specs)
    assert [r.text for r in loaded.records["mono"] if isinstance(r, PlainText)] == [
        "eins",
        "zwei",
        "drei",
    ]
    assert all(isinstance(r, ParallelPair) for r in loaded.records["train"])
    with pytest.raises(UserError, match=r"wants data 'mono' and none is given.*--data mono=PATH"):
        load_records([data], specs)
    with pytest.raises(UserError, match=r"unknown data 'mon'; did you mean 'mono'\?"):
        load_records([data, replace(more, data="mon")], specs)


def test_held_out_pairs_leave_other_entries_of_pairs_too(data: Source) -> None:
    specs = {**SPEC, "again": DataSpec(dev=0)}
    loaded = load_records([data, replace(data, data="again")], specs)
    assert loaded.records["again"] == loaded.records["train"]


def test_columns_and_reader_of_the_recipe_count(tmp_path: Path) -> None:
    file = tmp_path / "pairs.dat"
    file.write_text("die katze\tx\tthe cat\nein hund\tx\ta dog\n", encoding="utf-8")
    spec = DataSpec(reader="tsv", columns="3,1", dev=0, filter=False)
    rows = load_records([Source(str(file), "de")], {"train": spec}).records["train"]
    assert rows == [
        ParallelPair("die katze", "the cat", "de"),
        ParallelPair("ein hund", "a dog", "de"),
    ]
    asked = Source(str(file), "de", columns="1,3")
    rows = load_records([asked], {"train": spec}).records["train"]
    assert rows[0] == ParallelPair("the cat", "die katze", "de")


def test_the_limit_takes_by_hash_whatever_the_order() -> None:
    rows = pairs(50)
    assert limited(rows, None) == limited(rows, 50) == rows
    some = limited(rows, 7)
    assert len(some) == 7 and some == [r for r in rows if r in some]
    assert set(limited(rows[::-1], 7)) == set(some)


def test_without_looks_at_both_sides() -> None:
    rows = [
        ParallelPair("a", "x", "de"),
        ParallelPair("b", "y", "de"),
        ParallelPair("x", "a", "de"),
    ]
    assert without(rows, [ParallelPair("A!", "z", "de")]) == rows[1:]
    assert without(rows, [ParallelPair("q", "Y.", "de")]) == [rows[0], rows[2]]


def test_the_hash_is_of_contents_and_order_not_of_origin() -> None:
    rows = pairs(5)
    assert digest(rows) == digest([replace(r, origin="elsewhere") for r in rows])
    assert digest(rows) != digest(rows[::-1])


def test_a_filter_that_drops_all_says_why(tmp_path: Path) -> None:
    same = write_tsv(tmp_path / "same.tsv", [ParallelPair("cat", "cat", "de")])
    with pytest.raises(UserError, match=r"1 copy.*data\.train\.transforms=\[\]") as error:
        load_records([Source(str(same), "de")], SPEC)
    assert error.value.where == str(same)


def test_one_pair_cannot_be_split(tmp_path: Path) -> None:
    one = write_tsv(tmp_path / "one.tsv", pairs(1))
    with pytest.raises(UserError):
        load_records([Source(str(one), "de")], SPEC)


def test_development_pairs_for_plain_text_are_refused(data: Source, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("eins\n", encoding="utf-8")
    with pytest.raises(UserError, match="--dev"):
        load_records(
            [Source(str(tmp_path / "a.txt"), "de")],
            {"train": DataSpec(reader="plain_text")},
            [data],
        )


READERS = {
    "labelled_text": "".join(f"text {i}\tx{i % 2}\n" for i in range(20)),
    "scored_pairs": "".join(f"text {i}\tother {i // 2}\t{i}\n" for i in range(20)),
    "squad": "".join(
        json.dumps(
            {
                "context": f"passage {i // 2}",
                "qas": [{"question": f"q{i}", "answers": [{"text": "p", "answer_start": 0}]}],
            }
        )
        + "\n"
        for i in range(20)
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_records_for_heads_are_held_out_by_their_texts(tmp_path: Path, reader: str) -> None:
    path = tmp_path / ("a.jsonl" if reader == "squad" else "a.tsv")
    path.write_text(READERS[reader], encoding="utf-8")
    spec = {"train": DataSpec(reader=reader, dev=0.2)}
    loaded = load_records([Source(str(path), "de")], spec)
    rows = loaded.records["train"]
    assert len(loaded.dev) == 4 and len(rows) == 16
    sides = [{text for r in part for text in r.split_texts()} for part in (rows, loaded.dev)]
    assert not sides[0] & sides[1]
    assert "20 " in loaded.notes[0] and "4 held out for development" in loaded.notes[-1]
    given = tmp_path / ("dev.jsonl" if reader == "squad" else "dev.tsv")
    given.write_text("".join(READERS[reader].splitlines(True)[:3]), encoding="utf-8")
    loaded = load_records([Source(str(path), "de")], spec, [Source(str(given), "de")])
    assert len(loaded.dev) == 3
    assert len(loaded.records["train"]) == (17 if reader == "labelled_text" else 16)


def test_two_entries_of_data_share_no_text_with_the_development_part(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(READERS["labelled_text"], encoding="utf-8")
    entry = DataSpec(reader="labelled_text", dev=5)
    sources = [Source(str(path), "de"), Source(str(path), "de", data="more")]
    loaded = load_records(sources, {"train": entry, "more": entry})
    assert len(loaded.dev) == 2 and len(loaded.records["more"]) == 18


def test_what_readers_report_reaches_the_notes(tmp_path: Path) -> None:
    rows = [f"{p.pivot}\t{p.text}\t0.5\n" for p in pairs(60)]
    (tmp_path / "a.tsv").write_text("".join([*rows[:9], "alone\n", *rows[9:]]), encoding="utf-8")
    write_tsv(tmp_path / "dev.tsv", pairs(9, seed=5))
    sources = [[Source(str(tmp_path / name), "de")] for name in ("a.tsv", "dev.tsv")]
    loaded = load_records(sources[0], SPEC, sources[1])
    assert loaded.notes[:3] == [
        "a.tsv: column 1 is read as en, column 2 as de",
        "a.tsv: column 3 is not used",
        "a.tsv: 1 of 61 rows skipped; the first, a.tsv:10: column 2 is missing: this row has 1",
    ]
    assert "dev.tsv: column 1 is read as en, column 2 as de" in loaded.notes
    assert not [line for line in loaded.notes if str(tmp_path) in line]


def test_a_readers_old_signature_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        gives = PlainText

        def read(self, source: str, lang: str) -> list[PlainText]:
            return [PlainText(f"ein Satz {i}", lang) for i in range(20)]

    monkeypatch.setattr("xadapt.core.registry.load", lambda room, name: Old)
    loaded = load_records([Source("anything", "de")], {"train": DataSpec(reader="old")})
    assert len(loaded.records["train"]) == 20


def test_texts_in_another_script_are_refused(tmp_path: Path) -> None:
    file = write_tsv(tmp_path / "a.tsv", pairs(60))
    with pytest.raises(UserError, match="most ru texts are in the script Latn"):
        load_records([Source(str(file), "ru")], {"train": DataSpec(filter=False)})
    with pytest.raises(UserError, match="most ru texts are in the script Latn"):
        read_pairs(Source(str(file), "ru"))


def test_reading_and_filtering_are_watched(data: Source) -> None:
    seen: dict[str, int] = {}

    def watch(rows, label):
        for row in rows:
            seen[label] = seen.get(label, 0) + 1
            yield row

    loaded = load_records([data], SPEC, watch=watch)
    assert seen == {"reading pairs.tsv": 60, "filtering pairs": 60}
    assert loaded.records == load_records([data], SPEC).records


def test_the_hash_of_pairs_is_what_manifests_hold() -> None:
    row = ParallelPair("Äpfel", 'say "a"', "de", origin="x")
    text = '{"text": "Äpfel", "pivot": "say \\"a\\"", "lang": "de", "pivot_lang": "en"}'
    assert digest([row]) == hashlib.sha256(text.encode()).hexdigest()
    tagged = TaggedSentence(("a", "b"), ((0, 1, "X"),), "de")
    text = '{"words": ["a", "b"], "spans": [[0, 1, "X"]], "lang": "de"}'
    assert digest([tagged]) == hashlib.sha256(text.encode()).hexdigest()


def test_memory_for_a_large_file_is_a_small_multiple_of_it(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    lines = (
        f"{'a house stands there ' * 8}{i}\t{'ein Haus steht dort ' * 8}{i}\n"
        for i in range(20_000)
    )
    file.write_text("".join(lines))
    tracemalloc.start()
    try:
        loaded = load_records([Source(str(file), "de")], SPEC)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(loaded.records["train"]) == 20_000 - 6
    assert peak < 3.5 * file.stat().st_size


def test_the_options_of_a_recipe_reach_the_reader(tmp_path: Path) -> None:
    pairs = tmp_path / "mined.tsv"
    rows = [f"{1 + i / 100}\tThis is sentence {i}\tDas ist Satz {i}\n" for i in range(20)]
    pairs.write_text("".join(rows), encoding="utf-8")
    spec = {"train": DataSpec(options={"min_score": 1.1}, dev=0, transforms=())}
    loaded = load_records([Source(str(pairs), "de")], spec)
    assert len(loaded.records["train"]) == 10
    assert any("10 of 20 pairs with a score below 1.1 are left out" in n for n in loaded.notes)
    questions = tmp_path / "a.jsonl"
    none = {"question": "Why?", "is_impossible": True, "answers": []}
    row = {"context": "passage", "qas": [none, {**none, "question": "How?"}]}
    questions.write_text(json.dumps(row))
    spec = {"train": DataSpec(reader="squad", options={"unanswerable": "train"}, dev=0)}
    assert len(load_records([Source(str(questions), "de")], spec).records["train"]) == 2
