"""Count training texts that are longer than the base reads, for the lines that a run reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import CutCount, longer
from xadapt.training.base_run import BaseRun
from xadapt.training.encoder_run import EncoderRun
from xadapt.training.seq2seq_run import Seq2SeqRun
from xadapt.training.tokenized import Tokenized

FIELDS = ("text", "pivot")
"""Fields of records that an objective encodes as texts of their own."""


def cut_texts(run: BaseRun, records: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return a line for each entry of a recipe's data in which the base of a run cuts texts.

    Of an encoder-decoder it is one line for all, with the texts that were tokenised so far: the
    longest of each record.

    Args:
        run: The base of the run.
        records: The training records by the name of the entry.
    """
    if isinstance(run, Seq2SeqRun):
        cut = CutCount(len(run.tokens.cut), run.texts)
        return [cut.fact(run.seq2seq.max_length)] if cut.cut else []
    assert isinstance(run, EncoderRun)
    return cut_notes(run.encoder, run.forward.tokenized, records)


def cut_notes(
    encoder: Encoder, tokenized: Tokenized, records: Mapping[str, Sequence[Any]]
) -> list[str]:
    """Return one line for each entry of a recipe's data in which the base cuts texts.

    Sentences as words and passages are read in windows, so they are not counted.

    Args:
        encoder: The base.
        tokenized: The run's tokenizer, which keeps the token ids for the training.
        records: The training records by the name of the entry.
    """
    lines = []
    for name, rows in records.items():
        every = list(_texts(rows))
        # A token is at least one byte, so most texts need no look.
        some = [text for text in dict.fromkeys(every) if _bytes(text) >= encoder.max_length - 8]
        cut = longer(encoder, some, tokenized.tokenize(some))
        if cut:
            long = {some[place] for place in cut}
            count = CutCount(sum(text in long for text in every), len(every))
            lines.append(f"{name}: {count.fact(encoder.max_length)}")
    return lines


def _texts(rows: Sequence[Any]) -> Iterable[str]:
    for row in rows:
        for name in FIELDS:
            text = getattr(row, name, None)
            if isinstance(text, str):
                yield text


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
