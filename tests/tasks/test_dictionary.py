"""Word translation: by hand, several right answers, the pool, parts, the command."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_commands import Place, good, xadapt
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken

from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import WordPair
from xadapt.evaluation.systems import System
from xadapt.injection.attachment import embedding_table
from xadapt.tasks.dictionary import WordTranslation, word_side

TASK = WordTranslation()


def of(vectors):
    return lambda words: np.array([vectors[word] for word in words], dtype=np.float32)


PLANE = {"a": (1, 0), "b": (0, 1), "A": (1, 0.1), "B": (1, 1), "C": (0.1, 1), "D": (0, 1)}


def score(rows, measure="P@1", **options):
    result = TASK.evaluate(rows, {"it": System(of(PLANE))}, control=False, resamples=5, **options)
    return result["it"].scores[measure].mean


def test_precision_by_hand():
    rows = [WordPair("a", "A", "de"), WordPair("b", "B", "de"), WordPair("b", "C", "de")]
    assert score(rows) == 1  # b has two right answers, and is asked once
    assert score([WordPair("a", "A", "de"), WordPair("b", "B", "de")], pool=["D"]) == 0.5
    assert score([WordPair("a", "A", "de"), WordPair("b", "B", "de")], "P@5", pool=["D"]) == 1


def test_centred_vectors_do_not_know_their_common_mean():
    far = {word: (x + 9 * word.isupper(), y) for word, (x, y) in PLANE.items()}
    rows = [WordPair("a", "A", "de"), WordPair("b", "C", "de")]
    result = TASK.evaluate(rows, {"it": System(of(far))}, control=False, resamples=5, pool=["D"])
    assert result["it"].scores["P@1"].mean == 0.5  # A is longest to the right
    assert result["it"].scores["P@1 centred"].mean >= 0.5


def test_alike_vectors_show_in_the_random_cosine():
    same = System(lambda words: np.ones((len(words), 3), dtype=np.float32))
    rows = [WordPair(str(i), f"p{i}", "de") for i in range(9)]
    result = TASK.evaluate(rows, {"it": same}, control=False, resamples=5)
    assert result["it"].more["random_cosine"] == pytest.approx(1)


def test_a_side_is_the_mean_of_a_words_pieces():
    encoder = tiny_encoder("bert")
    table = embedding_table(encoder).weight
    ids = encoder.tokenizer("paka mbwa", add_special_tokens=False)["input_ids"]
    found = word_side(encoder)(["paka mbwa"])
    assert np.allclose(found[0], table[ids].mean(0).numpy(), atol=1e-6)
    module = shaken(module_for(encoder, "embedding_map", rank=2))
    assert not np.allclose(word_side(encoder, module)(["paka mbwa"]), found)
    assert word_side(encoder, layer=2)(["paka", "mbwa"]).shape == (2, encoder.width)


def test_no_entries_are_refused():
    with pytest.raises(UserError, match="no entries"):
        TASK.evaluate([], {})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("dictionary"), mlm=True)


def test_the_command_takes_the_held_out_part(place, tmp_path):
    file = tmp_path / "en-de.tsv"
    file.write_text("".join(f"w{i} cat\tw{i} katze\n" for i in range(60)))
    given = ("--base", place.base, "--data", file, "--lang", "de", "--json", tmp_path / "r.json")
    good("evaluate", "dictionary", *given)
    held = read_json(tmp_path / "r.json")
    good("evaluate", "dictionary", *given, "--part", "all", "--controls")
    whole = read_json(tmp_path / "r.json")
    assert 0 < held["count"] < whole["count"] == 60 and held["pool"] == whole["pool"] == 60
    assert [row["system"] for row in whole["rows"]] == ["frozen base", "tf-idf"]
    done = xadapt("evaluate", "dictionary", *given, "--held-out", "1")
    assert done.code == 2 and len(done.lines) == 1
    done = xadapt("evaluate", "dictionary", *given, "--part", "some")
    assert done.code == 2
