from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cut_shards
import numpy as np
import pytest
import two_encoders
from forked import together
from tiny_commands import everything
from tiny_folders import random_module
from tiny_shards import adapted, contents, source, write_texts

import xadapt
from xadapt.core.errors import UserError
from xadapt.core.files import LOCK
from xadapt.data.readers import text_stream
from xadapt.data.readers.text_stream import TextSource
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk import encoding
from xadapt.inference.bulk.encoding import encode_into
from xadapt.inference.bulk.plan import Layout

FIVE = Layout(rows=5)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> AdaptedEncoder:
    return adapted(tmp_path_factory.mktemp("base"))


def test_shards_hold_what_each_block_of_texts_is_alone(one: AdaptedEncoder, tmp_path: Path) -> None:
    text = source(tmp_path)
    rows = (tmp_path / "t.txt").read_text().splitlines()
    vectors = encode_into(one, text, tmp_path / "out", FIVE)
    assert vectors.shape == (23, 32) and vectors.dtype == np.float32
    twin = [one.encode(rows[i : i + 5], ["de"] * len(rows[i : i + 5])) for i in range(0, 23, 5)]
    np.testing.assert_array_equal(np.asarray(vectors), np.concatenate(twin))
    assert np.abs(vectors[0] - one.encode(rows[:1], [None])[0]).max() > 1e-3
    names = [f"part-{i:05d}.npy" for i in range(5)]
    assert everything(tmp_path / "out") == ["index.json", *names]
    for name, own in zip(names, twin, strict=True):
        plain = io.BytesIO()
        np.save(plain, own)
        assert (tmp_path / "out" / name).read_bytes() == plain.getvalue()


def test_two_processes_write_the_bytes_of_one(one: AdaptedEncoder, tmp_path: Path) -> None:
    adapted(tmp_path / "base")
    text = source(tmp_path)
    again = adapted(tmp_path / "base")
    encode_into(again, text, tmp_path / "alone", FIVE)
    encode_into(again, text, tmp_path / "alone-one", Layout(rows=100, half=True))
    together(lambda: two_encoders.main(tmp_path, 2))
    expected = contents(tmp_path / "alone")
    assert contents(tmp_path / "fresh") == expected and contents(tmp_path / "cut") == expected
    assert contents(tmp_path / "one-shard") == contents(tmp_path / "alone-one")


def test_a_run_killed_anywhere_and_a_full_disk(tmp_path: Path) -> None:
    # The plan, three shards each with its small file, and the index; each cut in three ways.
    one, text = adapted(tmp_path / "base"), source(tmp_path)
    cut_shards.full_disk(one, text, tmp_path / "full")
    assert cut_shards.cut_everywhere(one, text, tmp_path) == 24


def test_only_a_shard_of_texts_is_read_ahead(
    one: AdaptedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, read, seen = source(tmp_path), [0], []

    def counting(given: TextSource) -> Iterator[text_stream.Row]:
        for row in text_stream.read_rows(given):
            read[0] += 1
            yield row

    class Spy(AdaptedEncoder):
        def encode(self, texts, *more, **options):  # type: ignore[no-untyped-def]
            seen.append((read[0], len(texts)))
            return super().encode(texts, *more, **options)

    monkeypatch.setattr(encoding, "read_rows", counting)
    encode_into(Spy(one.encoder, one.modules), text, tmp_path / "out", FIVE)
    assert seen == [(5, 5), (10, 5), (15, 5), (20, 5), (23, 3)]


def test_ctrl_c_leaves_whole_shards(one: AdaptedEncoder, tmp_path: Path) -> None:
    text, out = source(tmp_path), tmp_path / "out"
    encode_into(one, text, tmp_path / "whole", FIVE)

    class Tired(AdaptedEncoder):
        calls = 0

        def encode(self, *given, **options):  # type: ignore[no-untyped-def]
            type(self).calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().encode(*given, **options)

    tired = Tired(one.encoder, one.modules)
    with pytest.raises(KeyboardInterrupt):
        encode_into(tired, text, out, FIVE)
    assert [n for n in everything(out) if "npy" in n] == ["part-00000.npy", "part-00001.npy"]
    with pytest.raises(UserError, match="no finished folder"):
        xadapt.open_vectors(out)
    with pytest.raises(UserError, match=r"holds an unfinished run\. Add --resume"):
        encode_into(one, text, out, FIVE)
    encode_into(tired, text, out, FIVE, resume=True)
    assert tired.calls == 3 + 3  # two were there, three were missing
    assert contents(out) == contents(tmp_path / "whole")


def test_what_differs_is_said_and_nothing_is_touched(one: AdaptedEncoder, tmp_path: Path) -> None:
    text, out = source(tmp_path), tmp_path / "out"
    encode_into(one, text, out, FIVE)
    before = contents(out)
    other_module = AdaptedEncoder(
        one.encoder, {"de": random_module(one.encoder, "lora", seed=1, rank=2)}
    )
    other_base = adapted(tmp_path / "base2")
    embeddings = other_base.encoder.model.get_input_embeddings().weight  # type: ignore[operator]
    embeddings.data += 1.0
    other_base.encoder.source = type(other_base.encoder.source)("changed", "memory")
    other_text = TextSource(str(write_texts(tmp_path / "o.txt", 22)), lang="de")
    for given, wanted, layout, said in (
        (one.with_("mix(de:.5)"), text, FIVE, "(de = de), now mix(de:0.5)"),
        (other_module, text, FIVE, "modules: "),
        (other_base, text, FIVE, "base: weights: other values"),
        (one, other_text, FIVE, "text: other content in o.txt"),
        (one, TextSource(text.path), FIVE, "lang: de, now none"),
        (one, text, Layout(rows=6), "shard rows: 5, now 6"),
        (one, text, Layout(rows=5, half=True), "dtype: float32, now float16"),
    ):
        with pytest.raises(UserError) as caught:
            encode_into(given, wanted, out, layout, resume=True)
        assert said in str(caught.value), (said, str(caught.value))
        assert contents(out) == before
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        encode_into(one, text, strange, FIVE, resume=True)


def test_a_flipped_byte_is_made_good_by_resume(one: AdaptedEncoder, tmp_path: Path) -> None:
    text, out = source(tmp_path), tmp_path / "out"
    encode_into(one, text, out, FIVE)
    whole = contents(out)
    part = bytearray(whole["part-00001.npy"])
    part[-1] ^= 1
    (out / "part-00001.npy").write_bytes(part)
    encode_into(one, text, out, FIVE, resume=True)
    assert contents(out) == whole


def test_another_length_of_texts_is_another_thing(
    one: AdaptedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, out = source(tmp_path), tmp_path / "out"
    encode_into(one, text, out, FIVE)
    index = (out / "index.json").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(one.encoder, "max_length", 7)
        with pytest.raises(UserError, match=r"max length: .*, now 7"):
            encode_into(one, text, out, FIVE, resume=True)
        row = json.loads(index)
        del row["made"]["max_length"]  # a folder of an older version
        (out / "index.json").write_text(json.dumps(row))
        encode_into(one, text, out, FIVE, resume=True)


def test_a_folder_has_one_writer(one: AdaptedEncoder, tmp_path: Path) -> None:
    text, out = source(tmp_path), tmp_path / "out"
    refused: list[str] = []

    class Twice(AdaptedEncoder):
        def encode(self, *given, **options):  # type: ignore[no-untyped-def]
            with pytest.raises(UserError, match="is being written by") as caught:
                encode_into(one, text, out, FIVE, resume=True)
            refused.append(str(caught.value))
            return super().encode(*given, **options)

    encode_into(Twice(one.encoder, one.modules), text, out, FIVE)
    assert len(refused) == 5
    assert LOCK not in everything(out)


def test_standard_input_is_known_by_its_rows(
    one: AdaptedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (tmp_path / "t.txt", write_texts(tmp_path / "t.txt").read_bytes())[1]

    def given(data: bytes) -> TextSource:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        return TextSource("-", lang="de")

    out = tmp_path / "out"
    encode_into(one, given(rows), out, FIVE)
    whole = contents(out)
    encode_into(one, given(rows), out, FIVE, resume=True)
    assert contents(out) == whole
    cut = b"".join(rows.splitlines(keepends=True)[:10])
    for wrong, said in (
        (b"x" + rows, "shard 0"),
        (cut, "the text ends at row 10"),
        (b"", "no text"),
    ):
        with pytest.raises(UserError, match=said):
            encode_into(one, given(wrong), out, FIVE, resume=True)
        assert contents(out) == whole
    named = encode_into(one, source(tmp_path), tmp_path / "named", FIVE)
    np.testing.assert_array_equal(np.asarray(named), np.asarray(xadapt.open_vectors(out)))


def test_packed_text_is_the_same_text(one: AdaptedEncoder, tmp_path: Path) -> None:
    packed = tmp_path / "t.txt.gz"
    packed.write_bytes(gzip.compress(write_texts(tmp_path / "t.txt").read_bytes()))
    encode_into(one, source(tmp_path), tmp_path / "out", FIVE)
    encode_into(one, TextSource(str(packed), lang="de"), tmp_path / "out", FIVE, resume=True)


def test_the_verb_is_the_same(one: AdaptedEncoder, tmp_path: Path) -> None:
    tags = tmp_path / "tags.txt"
    tags.write_text("de\n-\n" * 11 + "fr\n")
    base = one.encoder.base
    said: list[str] = []
    found = xadapt.encode_shards(
        write_texts(tmp_path / "t.txt"),
        tmp_path / "out",
        base=base,
        languages=tags,
        shard_rows=9,
        shard_format="parquet",
        half=True,
        dtype="float32",
        device="cpu",
        report=said.append,
    )
    text = TextSource(str(tmp_path / "t.txt"), languages=str(tags))
    bare = AdaptedEncoder(one.encoder, {})
    twin = encode_into(bare, text, tmp_path / "twin", Layout(rows=9))
    assert found.dtype == np.float16 and everything(tmp_path / "out")[1] == "part-00000.parquet"
    np.testing.assert_array_equal(np.asarray(found), np.asarray(twin).astype(np.float16))
    with pytest.raises(UserError, match="needs to know the texts' language"):
        xadapt.encode_shards(tmp_path / "t.txt", tmp_path / "x", base=base, select_on="own.tsv")


def test_languages_without_a_module_are_told_once(one: AdaptedEncoder, tmp_path: Path) -> None:
    tags = tmp_path / "tags.txt"
    tags.write_text("fr\n" * 22 + "de\n")
    text = TextSource(str(write_texts(tmp_path / "t.txt")), languages=str(tags))
    said: list[str] = []
    encode_into(one, text, tmp_path / "out", FIVE, report=said.append)
    assert len(said) == 1 and "no module is for fr" in said[0]


def test_a_fault_in_the_last_row_is_told_before_the_first_is_encoded(
    one: AdaptedEncoder, tmp_path: Path
) -> None:
    path = write_texts(tmp_path / "t.txt")
    with path.open("ab") as stream:
        stream.write(b"\xff\n")
    with pytest.raises(UserError, match="not UTF-8") as caught:
        encode_into(one, TextSource(str(path), lang="de"), tmp_path / "out", FIVE)
    assert caught.value.where == f"{path}:24" and not (tmp_path / "out").exists()


def test_windows_belong_to_the_folder_and_cut_texts_are_told_once(
    one: AdaptedEncoder, tmp_path: Path
) -> None:
    rows = [row + " katze" * (80 * (n % 3 == 0)) for n, row in enumerate(["ein hund"] * 12)]
    (tmp_path / "t.txt").write_text("\n".join(rows), encoding="utf-8")
    text, told = source(tmp_path), list[str]()
    cut = encode_into(one, text, tmp_path / "cut", FIVE, report=told.append)
    assert [line.rpartition("/")[2] for line in told if "longer" in line] == [
        "t.txt: 4 of 12 texts are longer than the 48 tokens that the base reads, and cut; "
        "windows=mean (--windows mean) reads them whole"
    ]
    told.clear()
    mean = replace(FIVE, windows="mean")
    with pytest.raises(UserError, match="windows: first, now mean"):
        encode_into(one, text, tmp_path / "cut", mean, resume=True)
    whole = encode_into(one, text, tmp_path / "mean", mean, report=told.append)
    assert not any("longer" in line for line in told)
    differ = np.abs(whole[0:12] - cut[0:12]).max(1) > 1e-4
    assert differ.tolist() == [n % 3 == 0 for n in range(12)]
