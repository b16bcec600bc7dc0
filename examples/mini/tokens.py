"""The tokenizer: a unigram vocabulary with bytes for what it lacks, in XLM-R's order of ids."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import UnigramTrainer
from transformers import PreTrainedTokenizerFast

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
MASK = "<mask>"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def sampled(
    texts: Mapping[str, Sequence[str]], alpha: float, lines: int, seed: int = 0
) -> list[str]:
    """Lines of all languages with shares ``(lines of the language) ** alpha``."""
    shares = {lang: len(some) ** alpha for lang, some in texts.items()}
    total = sum(shares.values())
    rng = random.Random(seed)
    chosen = []
    for lang, some in sorted(texts.items()):
        wanted = min(len(some), round(lines * shares[lang] / total))
        chosen += rng.sample(list(some), wanted)
    return chosen


def covered(lines: Sequence[str], coverage: float) -> list[str]:
    """The lines without their rarest letters: what is left makes up ``coverage`` of all letters."""
    counts = Counter(letter for line in lines for letter in line if not letter.isspace())
    left = (1 - coverage) * sum(counts.values())
    rare = set()
    for letter, count in sorted(counts.items(), key=lambda item: (item[1], item[0])):
        left -= count
        if left < 0:
            break
        rare.add(ord(letter))
    gone = dict.fromkeys(rare, " ")
    return [line.translate(gone) for line in lines]


def train_tokenizer(
    lines: Sequence[str], size: int, longest: int, coverage: float = 0.9995
) -> PreTrainedTokenizerFast:
    """A tokenizer of ``size`` pieces, special ones and 256 bytes among them.

    Letters beyond the coverage are spelt in bytes, so nothing is ever unknown. ``longest`` is
    the most tokens of a row.
    """
    trained = _plain(models.Unigram())
    trainer = UnigramTrainer(
        vocab_size=size - len(BYTES) - 1,
        special_tokens=SPECIAL,
        unk_token="<unk>",
        show_progress=False,
    )
    normalise = trained.normalizer.normalize_str
    trained.train_from_iterator(covered([normalise(line) for line in lines], coverage), trainer)
    own = _settled([row for row in _vocabulary(trained) if row[0] not in SPECIAL])
    pieces = [(piece, 0.0) for piece in SPECIAL] + own
    pieces += [(byte, own[-1][1] - 10) for byte in BYTES]
    model = models.Unigram(pieces, unk_id=SPECIAL.index("<unk>"), byte_fallback=True)
    return _whole(_plain(model), longest)


def _settled(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """One text, one vocabulary: the trainer adds, and scores its rarest letters, in any order."""
    least = min(score for _, score in pieces)
    rare = least + 1e-4 * len(pieces)  # the trainer's steps for letters it has no count of
    scores = [
        (piece, round(least if len(piece) == 1 and score <= rare else score, 6))
        for piece, score in pieces
    ]
    return sorted(scores, key=lambda row: (-row[1], row[0]))


def _plain(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(), decoders.Fuse()]
    )
    return tokenizer


def _vocabulary(tokenizer: Tokenizer) -> list[tuple[str, float]]:
    return [tuple(row) for row in json.loads(tokenizer.to_str())["model"]["vocab"]]


def _whole(tokenizer: Tokenizer, longest: int) -> PreTrainedTokenizerFast:
    tokenizer.add_special_tokens([*SPECIAL, MASK])
    ids = {token: tokenizer.token_to_id(token) for token in ("<s>", "</s>")}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=list(ids.items())
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token=MASK,
        model_max_length=longest,
    )


def read_texts(folder: Path) -> dict[str, list[str]]:
    """Lines of each ``xx.txt`` or ``xx.txt.gz`` of a folder, by language."""
    texts = {}
    for path in sorted([*folder.glob("*.txt"), *folder.glob("*.txt.gz")]):
        lines = [line.strip() for _, line in read_lines(str(path)) if line.strip()]
        if lines:
            texts[path.name.split(".")[0]] = lines
    if not texts:
        raise UserError(
            "no text to learn from",
            where=str(folder),
            todo="Give a folder with a file xx.txt for each language, a sentence a line",
        )
    return texts
