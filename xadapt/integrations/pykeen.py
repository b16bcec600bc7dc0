"""PyKEEN: models of a graph's structure, trained by its pipeline, and its evaluator.

A model is trained on training facts alone, with PyKEEN's early stopping on validation facts. Its
tensors are handed out, and a model is rebuilt from them without a pickle. PyKEEN's own
`RankBasedEvaluator` judges any scorer of facts.

Source: Ali et al. 2021, PyKEEN 1.0, https://jmlr.org/papers/v22/20-825.html.
"""

from __future__ import annotations

import gc
import importlib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import UserError, missing_extra
from xadapt.core.registry import unknown

Facts = NDArray[np.integer]
Queries = NDArray[np.int64]
Side = Literal["tail", "head"]
SIDES: dict[Side, int] = {"head": 0, "tail": 2}
"""The column of a fact that each side asks for."""
Scorer = Callable[[Queries, Side], NDArray[np.float32]]
PREFIX = "model."
TRIPLES = "triples"
METRIC = "inverse_harmonic_mean_rank"
EVALUATED = 500
"""Most validation facts that early stopping looks at."""
MEASURES = {"mrr": METRIC, "hits@1": "hits_at_1", "hits@3": "hits_at_3", "hits@10": "hits_at_10"}
INVERSE = frozenset({"compgcn"})
"""Models that need the inverse of every fact."""
KINDS: dict[str, dict[str, Any]] = {
    "loss": {"loss": "nssa", "loss_kwargs": {"margin": 9.0, "adversarial_temperature": 1.0}},
    "transe": {"model_kwargs": {"scoring_fct_norm": 1}},
    "complex": {"loss": "softplus", "loss_kwargs": {}},
    "distmult": {"loss": "softplus", "loss_kwargs": {}},
    "compgcn": {"loss": "bcewithlogits", "loss_kwargs": {}},
}


@dataclass(frozen=True)
class Training:
    """Options of the training of a model.

    Attributes:
        model: The name of a model of PyKEEN, such as ``TransE`` or ``RotatE``.
        dim: Numbers of an entity's vector; complex numbers for RotatE and ComplEx.
        epochs: Most passes over the training facts.
        batch_size: Facts of a step.
        negatives: Drawn negatives of a fact.
        learning_rate: That of Adam.
        every: Epochs between two looks at the validation facts.
        patience: Looks without a gain before training stops.
        seed: Seed of everything random.
    """

    model: str = "TransE"
    dim: int = 64
    epochs: int = 60
    batch_size: int = 512
    negatives: int = 32
    learning_rate: float = 0.01
    every: int = 5
    patience: int = 3
    seed: int = 0


DEFAULT = Training()


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        name: PyKEEN's name of its class.
        options: Everything that rebuilds it, besides its tensors.
        tensors: Its tensors, and the training facts, which some models read.
        measured: Epochs and the MRR of each look at the validation facts.
    """

    name: str
    options: dict[str, Any]
    tensors: dict[str, Tensor]
    measured: dict[str, Any] = field(default_factory=dict)


def require_pykeen() -> Any:
    """Import PyKEEN quietly.

    Raises:
        UserError: If it is not installed.
    """
    try:
        _import_resolvers()
        import pykeen
    except ImportError:
        raise missing_extra("pykeen", "kg") from None
    for name in ("pykeen", "class_resolver", "torch_max_mem"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return pykeen


def _import_resolvers() -> None:
    """Import the lists of torch's classes that PyKEEN reads, without those of other packages.

    class_resolver takes the optimizers of bitsandbytes for torch's if both are imported, and fails
    because their names are equal.
    """
    if "class_resolver.contrib.torch" in sys.modules:
        return
    api: Any = importlib.import_module("class_resolver.api")
    plain = api.get_subclasses

    def own(base: type, **options: Any) -> list[type]:
        room = base.__module__.partition(".")[0]
        return [one for one in plain(base, **options) if one.__module__.partition(".")[0] == room]

    api.get_subclasses = own
    try:
        importlib.import_module("class_resolver.contrib.torch")
    finally:
        api.get_subclasses = plain


def model_names() -> tuple[str, ...]:
    """Return the names of PyKEEN's models.

    Raises:
        UserError: If PyKEEN is not installed.
    """
    require_pykeen()
    from pykeen.models import model_resolver

    return tuple(sorted(one.__name__ for one in model_resolver.lookup_dict.values()))


def train_model(
    train: Facts,
    dev: Facts,
    entities: int,
    relations: int,
    options: Training = DEFAULT,
) -> Trained:
    """Train a model by PyKEEN's pipeline.

    Args:
        train: Training facts ``(n, 3)``.
        dev: Validation facts, for early stopping; without any, all epochs run.
        entities: Number of entities.
        relations: Number of relations.
        options: See `Training`.

    Raises:
        UserError: If there is no such model, there are no training facts, or PyKEEN refuses an
            option.
    """
    name = _name(options.model)
    if not len(train):
        raise UserError("there are no training facts to learn a structure from")
    from pykeen.pipeline import pipeline

    key = name.lower()
    own = {**KINDS["loss"], **KINDS.get(key, {})}
    model_kwargs = {"embedding_dim": options.dim, **own.get("model_kwargs", {})}
    inverse = key in INVERSE
    drawn = np.random.default_rng(options.seed)
    dev = np.asarray(dev)
    if len(dev) > EVALUATED:
        dev = dev[np.sort(drawn.choice(len(dev), EVALUATED, replace=False))]
    looked = dev if len(dev) else np.asarray(train)[:1]
    factory = _factory(train, entities, relations, inverse)
    held = _factory(looked, entities, relations)
    with tempfile.TemporaryDirectory() as folder, _quick_collections():
        stopper: dict[str, Any] = {}
        if len(dev):
            stopper = {
                "stopper": "early",
                "stopper_kwargs": {
                    "frequency": options.every,
                    "patience": options.patience,
                    "relative_delta": 1e-3,
                    "metric": METRIC,
                    "evaluation_batch_size": 64,
                    "best_model_path": Path(folder) / "best.pt",
                },
            }
        try:
            result = pipeline(
                training=factory,
                validation=held,
                testing=held,
                model=name,
                model_kwargs=model_kwargs,
                loss=own["loss"],
                loss_kwargs=own["loss_kwargs"],
                optimizer="adam",
                optimizer_kwargs={"lr": options.learning_rate},
                training_loop="slcwa",
                negative_sampler_kwargs={"num_negs_per_pos": options.negatives},
                training_kwargs={
                    "num_epochs": options.epochs,
                    "batch_size": min(options.batch_size, len(train)),
                    "use_tqdm": False,
                    "pin_memory": False,
                },
                evaluation_kwargs={"use_tqdm": False, "batch_size": 64},
                random_seed=options.seed,
                device="cpu",
                **stopper,
            )
        except (TypeError, ValueError) as error:
            raise UserError(f"PyKEEN can't train {name}: {error}", where="--model") from None
    kept = {PREFIX + one: value for one, value in result.model.state_dict().items()}
    looks = [float(value) for value in getattr(result.stopper, "results", [])]
    return Trained(
        name,
        {"model_kwargs": model_kwargs, "inverse": inverse, "seed": options.seed,
         "epochs": options.epochs, "batch_size": options.batch_size, "loss": own["loss"],
         "negatives": options.negatives, "learning_rate": options.learning_rate},
        {TRIPLES: torch.from_numpy(np.asarray(train, dtype=np.int64).copy()), **kept},
        {"epochs": len(result.losses), "every": options.every, "looks": looks},
    )  # fmt: skip


@contextmanager
def _quick_collections() -> Iterator[None]:
    """Leave all objects of now out of collections inside the block.

    PyKEEN collects after every epoch. With torch and transformers imported, looking at all objects
    takes longer than an epoch on a small graph.
    """
    if gc.get_freeze_count():  # the program itself does so
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def open_model(
    name: str,
    options: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    entities: int,
    relations: int,
    where: str,
) -> Scorer:
    """Rebuild a model from its tensors, as a scorer of facts.

    Args:
        name: PyKEEN's name of its class.
        options: The options that `train_model` returned.
        tensors: The tensors that `train_model` returned.
        entities: Number of entities.
        relations: Number of relations.
        where: The folder, for errors.

    Raises:
        UserError: If the tensors are not those of such a model.
    """
    name = _name(name)
    from pykeen.models import model_resolver

    facts = tensors.get(TRIPLES)
    limits = torch.tensor([entities, relations, entities])
    if facts is None or facts.dtype != torch.int64 or facts.dim() != 2 or facts.shape[1] != 3:
        raise UserError("the training facts are missing", where=where)
    if not len(facts) or bool((facts < 0).any()) or bool((facts >= limits).any()):
        raise UserError("a training fact has an entity or relation beyond the graph", where=where)
    settings = dict(options.get("model_kwargs", {}))
    dim = settings.get("embedding_dim")
    if not isinstance(dim, int) or not 1 <= dim <= 2**16:
        raise UserError(f"embedding_dim is {dim!r}", where=where)
    size = sum(tensor.numel() for one, tensor in tensors.items() if one.startswith(PREFIX))
    if dim * entities > 4 * size:
        raise UserError("the tensors are too small for their options", where=where)
    factory = _factory(facts.numpy(), entities, relations, bool(options.get("inverse")))
    state = {one.removeprefix(PREFIX): t for one, t in tensors.items() if one.startswith(PREFIX)}
    try:
        model = model_resolver.make(name, settings, triples_factory=factory, random_seed=0)
        model.load_state_dict(state, strict=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the tensors are not those of {name} ({' '.join(str(error).split())[:200]})",
            where=where,
            todo="Make the folder again with xadapt kg structure",
        ) from None
    return scorer_of(model)


def scorer_of(model: Any) -> Scorer:
    """Return a model of PyKEEN as a scorer: queries ``(q, 2)`` to scores ``(q, entities)``."""
    model.eval()

    def score(queries: Queries, side: Side) -> NDArray[np.float32]:
        asked = torch.from_numpy(np.ascontiguousarray(queries))
        with torch.inference_mode():
            found = model.predict_t(asked) if side == "tail" else model.predict_h(asked.flip(1))
        scores: NDArray[np.float32] = found.float().numpy()
        return scores

    return score


def judge(
    scorer: Scorer, facts: Facts, known: Facts, batch: int = 256
) -> dict[str, dict[str, float]]:
    """Let PyKEEN's `RankBasedEvaluator` judge a scorer: filtered, realistic ranks.

    Args:
        scorer: The scorer.
        facts: Facts to rank ``(n, 3)``.
        known: Facts of all other parts, whose answers are left out of the ranking.
        batch: Facts at a time.

    Returns:
        By side (``tail``, ``head`` and ``both``) the measures `MEASURES`.

    Raises:
        UserError: If PyKEEN is not installed.
    """
    require_pykeen()
    from pykeen.evaluation import RankBasedEvaluator
    from pykeen.evaluation.evaluator import create_sparse_positive_filter_, filter_scores_

    evaluator = RankBasedEvaluator(filtered=True)
    asked = torch.from_numpy(np.asarray(facts, dtype=np.int64).copy())
    every = torch.cat([asked, torch.from_numpy(np.asarray(known, dtype=np.int64).copy())])
    for rows in asked.split(batch):
        for side, column in SIDES.items():
            queries = rows[:, [2 - column, 1]].numpy()
            scores = torch.from_numpy(np.array(scorer(queries, side), dtype=np.float32))
            right = scores[torch.arange(len(rows)), rows[:, column]].clone()
            found, _ = create_sparse_positive_filter_(rows, every, filter_col=column)
            scores = filter_scores_(scores, found)
            scores[torch.arange(len(rows)), rows[:, column]] = right
            evaluator.process_scores_(rows, side, scores, right[:, None])
    result = evaluator.finalize()
    return {
        side: {
            name: float(result.get_metric(f"{side}.realistic.{metric}"))
            for name, metric in MEASURES.items()
        }
        for side in ("tail", "head", "both")
    }


def software() -> dict[str, str]:
    """Return the versions that the tensors of a model depend on."""
    return {name: version(name) for name in ("pykeen", "torch")}


def _name(model: str) -> str:
    names = model_names()
    found = next((one for one in names if one.lower() == model.lower()), None)
    if found is None:
        raise UserError(unknown("model", model, names), where="--model")
    return found


def _factory(facts: Facts, entities: int, relations: int, inverse: bool = False) -> Any:
    from pykeen.triples import CoreTriplesFactory

    mapped = torch.from_numpy(np.asarray(facts, dtype=np.int64).copy())
    return CoreTriplesFactory(
        mapped, num_entities=entities, num_relations=relations, create_inverse_triples=inverse
    )
