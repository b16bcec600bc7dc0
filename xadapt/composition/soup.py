"""Weight-space averages: one module with the mean of other modules' parameters."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn

from xadapt.composition.text import show
from xadapt.composition.values import Composition, Mix
from xadapt.core.errors import UserError


def soup(composition: Composition, modules: Mapping[str, nn.Module]) -> nn.Module:
    """Average the parameters of modules of one kind and options into one module.

    The mean is weighted. The average is not a mixture of the modules' outputs: for a product of two
    matrices, the product of the mean factors is another matrix. The average is as cheap as one
    module, for any kind.

    Source: AdapterSoup, Chronopoulou et al. 2023, https://arxiv.org/abs/2302.07027, section 3.

    Args:
        composition: A `Mix` of names whose weights sum to one.
        modules: The modules by name.

    Raises:
        UserError: If the composition is not such a mixture, or the modules differ in kind or
            options.
    """
    parts = composition.parts if isinstance(composition, Mix) else ()
    if not parts or not all(isinstance(part, str) for part, _ in parts):
        raise UserError("a soup is a mixture of modules, such as mix(a:.5, b:.5)", where="--soup")
    total = sum(weight for _, weight in parts)
    if abs(total - 1) > 1e-6:
        raise UserError(
            f"the weights of {show(composition)} sum to {total:g}, and a mean's sum to 1",
            where="--soup",
        )
    chosen = [(modules[str(part)], weight) for part, weight in parts]
    first = chosen[0][0]
    alike = {(str(module.kind), repr(module.options)) for module, _ in chosen}
    if len(alike) > 1:
        raise UserError("modules of different kinds or options have no mean", where="--soup")
    made = deepcopy(first)
    states = [(module.state_dict(), weight) for module, weight in chosen]
    whole = [name for name, value in states[0][0].items() if not value.is_floating_point()]
    if any(not torch.equal(own[name], states[0][0][name]) for name in whole for own, _ in states):
        raise UserError("modules with different vocabularies have no mean", where="--soup")
    mean = {
        name: states[0][0][name]
        if name in whole
        else torch.stack([weight * own[name] for own, weight in states]).sum(0)
        for name in states[0][0]
    }
    made.load_state_dict(mean)
    return made
