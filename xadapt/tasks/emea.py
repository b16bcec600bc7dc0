"""EMEA: for each sentence, the mixture of modules with the lowest entropy of a tagger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.backbones.cache.prefix_states import shared_states
from xadapt.backbones.encoder.encode import chunks, forward
from xadapt.backbones.encoder.words import Words, tokenize_word_windows
from xadapt.backbones.finite import require_finite
from xadapt.composition.by_language import choices
from xadapt.composition.composed import Composed
from xadapt.composition.values import Composition, Route, all_parts
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_sentences
from xadapt.functional.tag_scheme import decode
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.ensemble import Ensemble
from xadapt.tasks.predictor import Predictor, tell_words, unseen

NAME = "emea"


def emea(
    tagger: Predictor,
    sentences: Sequence[Sequence[str]],
    composition: Composition,
    *,
    steps: int = 10,
    rate: float = 10.0,
    batch_tokens: int = 4096,
) -> list[list[str]]:
    """Predict labels of words under expert weights tuned to lower the entropy of each sentence.

    Each layer has its own expert scores. The scores start equal. Then ``steps`` gradient steps
    lower the mean entropy over the sentence's words. The rows of a batch share nothing, so a batch
    gives the same labels as single sentences. Each window of a sentence longer than the base reads
    has weights of its own.

    Source: Wang et al. 2021, https://arxiv.org/abs/2109.04877, section 3. In the paper the entropy
    is the mean over all positions, padding included; here over the first tokens of words.

    Args:
        tagger: Encoder, modules and head.
        sentences: Sentences as words.
        composition: A composition with one ``route(emea; a, b, ..)`` in it.
        steps: Number of gradient steps.
        rate: Step size, the factor on the gradient.
        batch_tokens: Largest number of padded tokens in one forward.

    Raises:
        UserError: If the composition has no such route, or more than one, or can't run.
    """
    sentences = as_sentences(sentences)
    encoder = tagger.adapted.encoder
    ensemble = Ensemble(len(_route(composition).parts), encoder.depth).to(encoder.device)
    whole = Composed.checked(composition, {**tagger.adapted.modules, NAME: ensemble})
    rows = tokenize_word_windows(encoder, sentences)
    tell_words(encoder, tagger.head, sentences, rows)
    found = [unseen(tagger.head, len(words)) for words in sentences]
    adapter = ActiveAdapter(encoder, whole)
    for chunk in chunks([len(row.ids) for row in rows], batch_tokens):
        own = [rows[position] for position in chunk]
        logs = _settled(tagger, ensemble, adapter, own, steps, rate)
        for row, each in zip(own, logs, strict=True):
            require_finite(torch.from_numpy(each).unsqueeze(0), [row.owner], "scores")
            found[row.owner][row.known] = each
    return [decode(each, tagger.head.labels, tagger.head.scheme) for each in found]


def _settled(
    tagger: Predictor,
    ensemble: Ensemble,
    adapter: ActiveAdapter,
    rows: Sequence[Words],
    steps: int,
    rate: float,
) -> list[NDArray[np.float32]]:
    """Compute the log-probabilities of the words of one forward's rows after the last step."""
    scores = ensemble.start(len(rows), tagger.adapted.encoder.device)
    cache = shared_states(tagger.adapted.encoder, adapter.first_layer if steps else 0)
    activation = Activation.of(adapter, cache=cache)
    for _ in range(steps):
        logs = _logs(tagger, activation, rows)
        entropy = sum(-(each.exp() * each).sum(-1).mean() for each in logs if len(each))
        if isinstance(entropy, Tensor):
            (slope,) = torch.autograd.grad(entropy, scores)
            with torch.no_grad():
                scores -= rate * slope
    with torch.no_grad():
        return [each.cpu().numpy() for each in _logs(tagger, activation, rows)]


def _logs(tagger: Predictor, activation: Activation, rows: Sequence[Words]) -> list[Tensor]:
    encoder = tagger.adapted.encoder
    states, _ = forward(encoder, [row.ids for row in rows], activation=activation)
    return [
        tagger.head(own[[row.first[word] for word in row.known]]).log_softmax(-1)
        for row, own in zip(rows, states, strict=True)
    ]


def _route(composition: Composition) -> Route:
    found = [part for part in all_parts(composition) if isinstance(part, Route)]
    own = [route for route in found if route.router == NAME]
    if choices(composition):
        raise UserError(
            "EMEA weighs the parts of one composition, not by language", where="composition"
        )
    if len(own) != 1:
        raise UserError(
            f"the composition has {len(own) or 'no'} route({NAME}; ..), and one is needed",
            where="composition",
            todo=f"Such as: route({NAME}; de-lang, nl-lang) + task",
        )
    return own[0]
