"""A vocabulary from a run's training texts: its tokenizer, and the first values of its rows.

A row begins with one of these, in this order:

- **copied**: the base has the same piece, and it is no single letter: its row.
- **combined**: a convex combination of the base's rows. With ``translations`` its weights are the
  probabilities of English pieces, given the piece, that are learnt from the training pairs (IBM
  model 1). With ``focus`` they are sparsemax weights of copied pieces that are near it in static
  vectors of the training texts. With ``dictionary`` they are the probabilities that are learnt from
  word pairs, and for pieces that are in no word of the dictionary, sparsemax weights of copied
  pieces and of those that are.
- **pieces**: the mean of the rows of the tokens that the base spells the piece with.

Sources: WECHSEL, Minixhofer et al. 2022, https://arxiv.org/abs/2112.06598, section 3, for
combinations over a bilingual lexicon; FOCUS, Dobler and de Melo 2023,
https://arxiv.org/abs/2305.14481, section 3, for combinations over overlapping pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.given_tokenizer import given_tokenizer, marked
from xadapt.backbones.mapped_tokenizer import MappedTokenizer, numbered, unknown_of
from xadapt.backbones.own_tokenizer import BEGINS, train_tokenizer
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError
from xadapt.data.readers.dictionary import Dictionary
from xadapt.data.records import WordPair
from xadapt.functional.lexical_links import learn_lexicon
from xadapt.functional.piece_vectors import ppmi_vectors, sparsemax
from xadapt.injection.attachment import embedding_table, model_shape
from xadapt.languages.tags import is_tag
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
    base, languages = encoder.tokenizer, languages_of(rows)
    start = _start(plan, rows, where)
    entries = _entries(plan.dictionary, languages, where) if start == "dictionary" else []
    if plan.tokenizer:
        core = given_tokenizer(base, plan.tokenizer)
    else:
        core = train_tokenizer(base, texts, plan.size)
    first = embedding_table(encoder).num_embeddings
    ids, text = numbered(core, base, first, unknown_of(core)), core.to_str()
    made = MappedTokenizer(text, ids, first)
    values, started = first_rows(made, encoder, rows, texts, start, entries)
    filled = {
        **options,
        "tokenizer": Path(plan.tokenizer).name,
        "dictionary": Path(plan.dictionary).name,
        "start": start,
        "pieces": len(made.pieces),
        "tokens": len(ids),
        "tokenizer_bytes": len(text.encode()),
        "row_bytes": _bytes(plan, len(made.pieces), encoder.width),
        "started": started,
        "languages": languages,
    }
    module = build(KIND, filled, model_shape(encoder), seed=seed, where=where)
    assert isinstance(module, Vocabulary)
    module.fill(text, ids, values)
    return module


def languages_of(records: Iterable[Any]) -> list[str]:
    """Return the languages of records with a text, in the order of their first record."""
    tags = (getattr(one, "lang", None) for one in records if hasattr(one, "text"))
    return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and is_tag(tag)))


def _start(plan: VocabularyOptions, rows: Sequence[Any], where: str) -> Start:
    start, given = plan.start, bool(plan.dictionary)
    pairs = any(isinstance(getattr(row, "pivot", None), str) for row in rows)
    if start == "auto":
        return "dictionary" if given else "translations" if pairs else "focus"
    if given != (start == "dictionary"):
        raise UserError(
            "rows begin with a dictionary if module.dictionary names one and module.start is auto "
            "or dictionary",
            where=where or "module.start",
            todo="Give both, or neither",
        )
    if start == "translations" and not pairs:
        raise UserError(
            "rows can't begin with translations: the training records are no pairs of sentences",
            where=where or "module.start",
            todo="Use --set module.start=focus",
        )
    return start


def _bytes(plan: VocabularyOptions, pieces: int, width: int) -> int:
    """Return the size of the stored rows; of low rank, with the matrix, which is in fp32."""
    size = 2 if plan.row_dtype == "bfloat16" else 4
    return pieces * width * size if plan.rank is None else plan.rank * (pieces * size + width * 4)


def _entries(path: str, languages: Sequence[str], where: str) -> list[WordPair]:
    """Read the dictionary that rows begin with.

    Raises:
        UserError: If it can't be read, or the language of the records is not known.
    """
    if not languages:
        raise UserError(
            "the training records name no language, and a dictionary is for one", where=where
        )
    return list(Dictionary().read(path, languages[0]))


def first_rows(
    made: MappedTokenizer,
    encoder: Encoder,
    rows: Sequence[Any],
    texts: Sequence[str],
    start: Start,
    entries: Sequence[WordPair] = (),
) -> tuple[Tensor, dict[str, int]]:
    """Compute the first values of the rows of a vocabulary.

    Args:
        made: Its tokenizer.
        encoder: The base.
        rows: The training records.
        texts: The distinct training texts.
        start: ``translations``, ``dictionary``, ``focus`` or ``pieces``.
        entries: The entries of the dictionary.

    Returns:
        ``(pieces, width)``, fp32, on the CPU, and the number of rows by their beginning.
    """
    first = embedding_table(encoder).num_embeddings
    table = embedding_table(encoder).weight.detach().float().cpu()
    pieces = marked(made.pieces)
    copied = overlap(pieces, encoder.tokenizer)
    combined: Weights = {}
    if start == "translations":
        pairs = [(row.text, row.pivot) for row in rows if isinstance(row.pivot, str)]
        combined = translation_weights(made, encoder, pairs, first)
    elif start == "dictionary":
        pairs = [(one.word, one.pivot) for one in entries]
        known = translation_weights(made, encoder, pairs, first, most=len(pairs))
        combined = {**focus_weights(made, texts, copied, first, known), **known}
    elif start == "focus":
        combined = focus_weights(made, texts, copied, first)
    values, counts = torch.zeros(len(made.pieces), table.shape[1]), dict.fromkeys(
        ("copied", "combined", "pieces"), 0
    )  # fmt: skip
    spelt = _spelt([piece.replace(BEGINS, " ").strip() for piece in pieces], encoder.tokenizer)
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
    made: MappedTokenizer,
    encoder: Encoder,
    pairs: Sequence[tuple[str, str]],
    first: int,
    most: int = MOST_PAIRS,
) -> Weights:
    """Learn the probabilities of the pivot's pieces given each piece.

    Args:
        made: The tokenizer.
        encoder: The base.
        pairs: Sentences or words, each with its translation.
        first: The id of the first piece.
        most: The most pairs that are used.

    Returns:
        The 8 most probable translations of each piece, with their probabilities.
    """
    pairs = pairs[:most]
    if not pairs:
        return {}
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
    made: MappedTokenizer,
    texts: Sequence[str],
    copied: Mapping[int, int],
    first: int,
    known: Weights = MappingProxyType({}),
) -> Weights:
    """Weigh known pieces by their nearness to each other piece, in vectors of the texts.

    Args:
        made: The tokenizer.
        texts: The texts.
        copied: By the position of a piece, the id of the base that it is copied from.
        first: The id of the first piece.
        known: Weights of other pieces whose rows are known.
    """
    own = {**known, **{place: {number: 1.0} for place, number in copied.items()}}
    anchors = list(own)
    if not anchors:
        return {}
    rows = [[i - first for i in row if i >= first] for row in _bare(made, texts)]
    vectors = ppmi_vectors(rows, len(made.pieces))
    seen = np.asarray(vectors.any(1))
    found: dict[int, dict[int, float]] = {}
    near = vectors[anchors]
    for at in range(0, len(vectors), 1024):
        weights = sparsemax(vectors[at : at + 1024] @ near.T)
        for place, row in enumerate(weights, at):
            if seen[place] and place not in own:
                sums = found.setdefault(place, {})
                for j in row.nonzero()[0]:
                    rows_of = own[anchors[j]]
                    whole = sum(rows_of.values())
                    for number, weight in rows_of.items():
                        sums[number] = sums.get(number, 0.0) + float(row[j]) * weight / whole
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
