from __future__ import annotations

from tiny_models import tiny_encoder
from tiny_training import tagged

from xadapt.data.records import LabelledText, ParallelPair
from xadapt.pipelines.cut_records import cut_notes
from xadapt.training.tokenized import Tokenized

LONG = "katze " * 90


def test_cut_texts_of_each_entry_are_counted() -> None:
    encoder = tiny_encoder()
    pairs = [ParallelPair("die katze", "the cat", "de"), ParallelPair(LONG, "cats", "de")] * 2
    texts = [LabelledText("ein hund", "a", "de"), LabelledText("", "b", "de")]
    records = {"train": pairs, "more": texts, "words": tagged(4)}
    assert cut_notes(encoder, Tokenized(encoder), records) == [
        "train: 2 of 8 texts are longer than the 48 tokens that the base reads, and cut"
    ]
    assert cut_notes(encoder, Tokenized(encoder), {"train": []}) == []
