"""A tokenizer for a language that a base spells badly, trained on plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError

BEGINS = "▁"
"""The mark of a piece that begins a word."""
LONGEST_RUN = 64
"""Characters of a word. Longer runs, of scripts without spaces, are cut first."""


def train_tokenizer(base: Any, texts: Iterable[str], size: int) -> Tokenizer:
    """Train a tokenizer on texts: byte-pair encoding inside words, with the base's special tokens.

    Text is normalised by NFKC, and put in lower case where the base does so; accents and vowel
    signs stay. Words are cut at spaces and around punctuation. Equal texts give equal tokenizers.

    Source: Sennrich et al. 2016, https://aclanthology.org/P16-1162, section 3.2.

    Args:
        base: The tokenizer of the base.
        texts: Plain text, any number of lines.
        size: The most pieces to learn, without the special tokens.

    Returns:
        The tokenizer, with ids of its own from 0 on.

    Raises:
        UserError: If the base has no token for what is unknown.
    """
    if base.unk_token is None:
        raise UserError(
            "the base's tokenizer has no unknown token, so a vocabulary of your own can't join it",
            todo="Such a base spells every text with bytes",
        )
    core = Tokenizer(models.BPE(unk_token=base.unk_token))
    clean = [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    if lowers(base):
        clean.append(normalizers.Lowercase())
    core.normalizer = normalizers.Sequence(clean)
    # Letters with a mark of continuation would be numbered in the order of a hash table.
    mark = rf"[\p{{P}}\p{{S}}&&[^{BEGINS}]]"  # the mark of a word's begin is a symbol itself
    word = rf"{BEGINS}?{mark}|{BEGINS}?[^{BEGINS}\p{{P}}\p{{S}}]{{1,{LONGEST_RUN}}}|{BEGINS}"
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(BEGINS, prepend_scheme="always", split=False),
            pre_tokenizers.Split(Regex(word), "isolated"),
        ]
    )
    # In the base's order, as some bases count positions from the id of their padding token.
    theirs = dict(zip(base.all_special_tokens, base.all_special_ids, strict=True))
    special = sorted(theirs, key=theirs.__getitem__)
    trainer = trainers.BpeTrainer(
        vocab_size=size + len(special),
        special_tokens=special,
        limit_alphabet=max(64, size // 2),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    before, after = around(base)
    numbers = {token: core.token_to_id(token) for token in (*before, *after)}
    core.post_processor = processors.TemplateProcessing(
        single=[*before, "$A", *after], special_tokens=sorted(numbers.items())
    )
    return core


def lowers(base: Any) -> bool:
    """Whether a base's tokenizer reads upper case as lower case."""
    return bool(_plain(base, "Aa Bb") == _plain(base, "aa bb"))


def around(base: Any) -> tuple[list[str], list[str]]:
    """Return the special tokens that a base's tokenizer puts before and after a text.

    Raises:
        UserError: If the tokenizer puts them elsewhere.
    """
    inner, whole = _plain(base, "a"), list(call_tokenizer(base, "a")["input_ids"])
    for start in range(len(whole) - len(inner) + 1):
        if inner and whole[start : start + len(inner)] == inner:
            both = whole[:start], whole[start + len(inner) :]
            before, after = (list(base.convert_ids_to_tokens(ids)) for ids in both)
            return before, after
    raise UserError("the base's tokenizer changes a text when it adds special tokens")


def _plain(base: Any, text: str) -> list[int]:
    return list(call_tokenizer(base, text, add_special_tokens=False)["input_ids"])
