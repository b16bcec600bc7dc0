"""A vocabulary from a run's training texts: its tokenizer, and the first values of its rows.

A row begins with one of these, in this order:

- **copied**: the base has the same piece, and it is no single letter: its row.
- **combined**: a convex combination of the base's rows. With ``translations`` its weights are the
  probabilities of English pieces, given the piece, that are learnt from the training pairs (IBM
  model 1). With ``focus`` they are sparsemax weights of copied pieces that are near it in static
  vectors of the training texts.
- **pieces**: the mean of the rows of the tokens that the base spells the piece with.

Sources: WECHSEL, Minixhofer et al. 2022, https://arxiv.org/abs/2112.06598, section 3, for
combinations over a bilingual lexicon; FOCUS, Dobler and de Melo 2023,
https://arxiv.org/abs/2305.14481, section 3, for combinations over overlapping pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.mapped_tokenizer import MappedTokenizer, numbered
from xadapt.backbones.own_tokenizer import BEGINS, train_tokenizer
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError
from xadapt.functional.lexical_links import learn_lexicon
from xadapt.functional.piece_vectors import ppmi_vectors, sparsemax
from xadapt.injection.attachment import embedding_table, model_shape
from xadapt.modules.storage import build
from xadapt.modules.vocabulary import KIND, Start, Vocabulary, VocabularyOptions

MOST_PAIRS = 20_000
"""The most training pairs that translations are learnt from."""
MOST_TARGETS = 8
"""The most rows of the base in a combination of translations."""
Weights = Mapping[int, Mapping[int, float]]
"""By the position of a piece, weights of ids of the base."""


def vocabulary_from(
    options: Mapping[str, Any],
    encoder: Encoder,
    records: Iterable[Any],
    *,
    seed: int = 0,
    where: str = "",
) -> nn.Module:
    """Build a vocabulary from training records, with its inner module new.

    Args:
        options: Options of the recipe's module, without ``kind``.
        encoder: The base.
        records: Records with a ``text``; those of pairs have a ``pivot`` too.
        seed: Seed of the inner module.
        where: The recipe, for errors.

    Raises:
        UserError: If the options are wrong, the base has no unknown token, the records hold no
            texts, or ``translations`` has no pairs.
    """
    plan = build(KIND, dict(options), model_shape(encoder), seed=seed, where=where).options
    assert isinstance(plan, VocabularyOptions)
    rows = list(records)
    texts = list(dict.fromkeys(t for row in rows if isinstance(t := getattr(row, "text", 0), str)))
    if not texts:
        raise UserError(
            "a vocabulary is learnt from texts, and the training records hold none", where=where
        )
    base = encoder.tokenizer
    core = train_tokenizer(base, texts, plan.size)
    first = embedding_table(encoder).num_embeddings
    ids, text = numbered(core, base, first), core.to_str()
    made = MappedTokenizer(text, ids, first)
    start = _start(plan.start, rows, where)
    values, started = first_rows(made, encoder, rows, texts, start)
    filled = {
        **options,
        "start": start,
        "pieces": len(made.pieces),
        "tokens": len(ids),
        "tokenizer_bytes": len(text.encode()),
        "started": started,
    }
    module = build(KIND, filled, model_shape(encoder), seed=seed, where=where)
    assert isinstance(module, Vocabulary)
    module.fill(text, ids, values)
    return module


def _start(start: Start, rows: Sequence[Any], where: str) -> Start:
    pairs = any(isinstance(getattr(row, "pivot", None), str) for row in rows)
    if start == "auto":
        return "translations" if pairs else "focus"
    if start == "translations" and not pairs:
        raise UserError(
            "rows can't begin with translations: the training records are no pairs of sentences",
            where=where or "module.start",
            todo="Use --set module.start=focus",
        )
    return start


def first_rows(
    made: MappedTokenizer,
    encoder: Encoder,
    rows: Sequence[Any],
    texts: Sequence[str],
    start: Start,
) -> tuple[Tensor, dict[str, int]]:
    """Compute the first values of the rows of a vocabulary.

    Args:
        made: Its tokenizer.
        encoder: The base.
        rows: The training records.
        texts: The distinct training texts.
        start: ``translations``, ``focus`` or ``pieces``.

    Returns:
        ``(pieces, width)``, fp32, on the CPU, and the number of rows by their beginning.
    """
    first = embedding_table(encoder).num_embeddings
    table = embedding_table(encoder).weight.detach().float().cpu()
    copied = overlap(made.pieces, encoder.tokenizer)
    combined: Weights = {}
    if start == "translations":
        combined = translation_weights(made, encoder, rows, first)
    elif start == "focus":
        combined = focus_weights(made, texts, copied, first)
    values, counts = torch.zeros(len(made.pieces), table.shape[1]), dict.fromkeys(
        ("copied", "combined", "pieces"), 0
    )  # fmt: skip
    spelt = _spelt([piece.replace(BEGINS, " ").strip() for piece in made.pieces], encoder.tokenizer)
    for place in range(len(made.pieces)):
        if place in copied:
            values[place], how = table[copied[place]], "copied"
        elif combined.get(place):
            own = combined[place]
            weights = torch.tensor(list(own.values()), dtype=torch.float32)
            values[place], how = weights / weights.sum() @ table[list(own)], "combined"
        else:
            tokens = spelt[place]
            values[place], how = table[tokens].mean(0) if tokens else table.mean(0), "pieces"
        counts[how] += 1
    return values, counts


def overlap(pieces: Sequence[str], base: Any) -> dict[int, int]:
    """Find the pieces that the base's tokenizer has too, but for single letters.

    Returns:
        By the position of a piece, the id of the base.
    """
    known: dict[tuple[bool, str], int] = {}
    names = list(base.get_vocab().items())
    continued = any(token.startswith("##") for token, _ in names)
    for token, number in sorted(names, key=lambda one: one[1]):
        for mark in ("##", BEGINS, "Ġ"):
            if token.startswith(mark) and len(token) > len(mark):
                known.setdefault((mark != "##", token[len(mark) :]), number)
                break
        else:
            known.setdefault((continued, token), number)
    found = {}
    for place, piece in enumerate(pieces):
        bare = piece.removeprefix(BEGINS)
        number_ = known.get((piece.startswith(BEGINS), bare))
        if number_ is not None and (len(bare) > 1 or not bare.isalpha()):
            found[place] = number_
    return found


def translation_weights(
    made: MappedTokenizer, encoder: Encoder, rows: Sequence[Any], first: int
) -> Weights:
    """Learn the probabilities of the pivot's pieces given each piece, from pairs.

    The first 20,000 pairs are used, and of each piece the 8 most probable translations.
    """
    pairs = list(
        islice(((r.text, r.pivot) for r in rows if isinstance(r.pivot, str)), MOST_PAIRS)
    )  # fmt: skip
    ours = _bare(made, [text for text, _ in pairs])
    theirs = _bare(encoder.tokenizer, [pivot for _, pivot in pairs])
    ours = [[i - first for i in row if i >= first] for row in ours]
    unknown = encoder.tokenizer.unk_token_id
    theirs = [[i for i in row if i != unknown] for row in theirs]
    lexicon = learn_lexicon(ours, theirs)
    left, right = np.divmod(lexicon.keys, lexicon.size)
    order = np.lexsort((right, -lexicon.forward, left))
    found: dict[int, dict[int, float]] = {}
    for place in order:
        own = found.setdefault(int(left[place]), {})
        if len(own) < MOST_TARGETS and lexicon.forward[place] > 0.01:
            own[int(right[place])] = float(lexicon.forward[place])
    return found


def focus_weights(
    made: MappedTokenizer, texts: Sequence[str], copied: Mapping[int, int], first: int
) -> Weights:
    """Weigh copied pieces by their nearness to each other piece, in vectors of the texts."""
    anchors = list(copied)
    if not anchors:
        return {}
    rows = [[i - first for i in row if i >= first] for row in _bare(made, texts)]
    vectors = ppmi_vectors(rows, len(made.pieces))
    seen = np.asarray(vectors.any(1))
    found: dict[int, dict[int, float]] = {}
    known = vectors[anchors]
    for at in range(0, len(vectors), 1024):
        weights = sparsemax(vectors[at : at + 1024] @ known.T)
        for place, own in enumerate(weights, at):
            if seen[place] and place not in copied:
                found[place] = {copied[anchors[j]]: float(own[j]) for j in own.nonzero()[0]}
    return found


def _bare(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize without special tokens and without cutting."""
    made = call_tokenizer(
        tokenizer, list(texts), add_special_tokens=False, truncation=False, verbose=False
    )
    return [list(row) for row in made["input_ids"]]


def _spelt(pieces: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """Spell pieces with the base's tokens, without unknown ones."""
    rows = _bare(tokenizer, pieces) if pieces else []
    return [[i for i in row if i != tokenizer.unk_token_id] for row in rows]
