"""The frozen models of a run: its base, as its objectives and recipe use it, and its teacher."""

from __future__ import annotations

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.prompts import require_side_prompts, with_prompts
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.objectives.contract import SEQ2SEQ, backbone_of


def kind_of(recipe: Recipe) -> str:
    """Return the kind of base that the objectives of a recipe train on.

    Raises:
        UserError: If they train on different kinds.
    """
    kinds = {backbone_of(spec.build()): spec.name for spec in recipe.objectives}
    if len(kinds) > 1:
        both = " and ".join(kinds.values())
        raise UserError(
            f"{both} train on different kinds of bases, an encoder and an encoder-decoder",
            where="objectives",
            todo="Train a module with each",
        )
    return next(iter(kinds))


def load_base(recipe: Recipe, base: str) -> FrozenModel:
    """Load the base of a run, which cuts texts and has prompts as the recipe says.

    Objectives that write texts are trained on a whole encoder-decoder.

    Args:
        recipe: The recipe.
        base: Hub id, folder or ``package:NAME/SUBDIR``.

    Raises:
        UserError: If the base is unusable, reads fewer tokens, or takes no prompts by side.
    """
    if kind_of(recipe) == SEQ2SEQ:
        if recipe.prompts:
            raise UserError(
                "prompts by side are for encoders",
                where="prompts",
                todo="Name the prompt of the objective: --set objectives.0.prompt=...",
            )
        seq2seq = Seq2Seq.from_pretrained(base, dtype=recipe.dtype)
        return _cut(seq2seq, recipe)
    encoder = Encoder.from_pretrained(base, dtype=recipe.dtype)
    _cut(encoder, recipe)
    if recipe.prompts:
        require_side_prompts(encoder.pooling, base)
        every = with_prompts(encoder.pooling, recipe.prompts).prompts
        encoder = encoder.adjusted(prompts=every)
    return encoder


def _cut(model: FrozenModel, recipe: Recipe) -> FrozenModel:
    """Let a base cut texts as the recipe says.

    Raises:
        UserError: If it reads fewer tokens.
    """
    if recipe.max_length is not None:
        if recipe.max_length > model.max_length:
            raise UserError(
                f"the base takes at most {model.max_length} tokens, not {recipe.max_length}",
                where="max_length",
            )
        model.max_length = recipe.max_length
    return model


def open_teacher(recipe: Recipe) -> Encoder | None:
    """Load the model that a recipe names as the teacher, if it names one.

    Raises:
        UserError: If there is no such model, or it is not supported.
    """
    return Encoder.from_pretrained(recipe.teacher) if recipe.teacher else None
