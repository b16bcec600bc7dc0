"""The frozen models of a run: its base, as the recipe uses it, and its teacher."""

from __future__ import annotations

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.prompts import require_side_prompts, with_prompts
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError


def load_base(recipe: Recipe, base: str) -> Encoder:
    """Load the base of a run, which cuts texts and has prompts as the recipe says.

    Args:
        recipe: The recipe.
        base: Hub id, folder or ``package:NAME/SUBDIR``.

    Raises:
        UserError: If the base is unusable, reads fewer tokens, or takes no prompts by side.
    """
    encoder = Encoder.from_pretrained(base, dtype=recipe.dtype)
    if recipe.max_length is not None:
        if recipe.max_length > encoder.max_length:
            raise UserError(
                f"the base takes at most {encoder.max_length} tokens, not {recipe.max_length}",
                where="max_length",
            )
        encoder.max_length = recipe.max_length
    if recipe.prompts:
        require_side_prompts(encoder.pooling, base)
        every = with_prompts(encoder.pooling, recipe.prompts).prompts
        encoder = encoder.adjusted(prompts=every)
    return encoder


def open_teacher(recipe: Recipe) -> Encoder | None:
    """Load the model that a recipe names as the teacher, if it names one.

    Raises:
        UserError: If there is no such model, or it is not supported.
    """
    return Encoder.from_pretrained(recipe.teacher) if recipe.teacher else None
