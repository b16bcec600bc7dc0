"""A base that is split over processes, for one that does not fit one device.

Each process holds its part of every layer's weights, and gathers a layer just before it runs. All
processes must therefore run the same layers in the same order: as many forwards and backwards, each
with rows of its own or the same rows. `encode` of equally many texts a forward does, and so does a
loop over batches of the same number.

Source: FSDP, Zhao et al. 2023, https://arxiv.org/abs/2304.11277, as ``fully_shard`` of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def shard_layers(encoder: Encoder, mesh: DeviceMesh | None = None) -> Encoder:
    """Split the weights of an encoder's layers over the processes of torchrun; values stay equal.

    Word embeddings stay whole. Modules are not split: each process has them, and the mean of their
    gradients over the processes is the caller's task, as in data-parallel training. Nothing can be
    merged into the weights afterwards.

    Args:
        encoder: The encoder, loaded alike in every process. It is changed in place.
        mesh: The processes; by default all of them.

    Returns:
        The encoder.

    Raises:
        UserError: If no group of processes was started, or the weights are quantised.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    if not dist.is_available() or not dist.is_initialized():
        raise UserError(
            "there is no group of processes to shard the base over",
            todo="Start by torchrun, and call torch.distributed.init_process_group first",
        )
    if encoder.quantized:
        raise UserError("quantised weights can't be sharded", todo="Load the base as bfloat16")
    if mesh is None:
        mesh = init_device_mesh(encoder.device.type, (dist.get_world_size(),))
    encoder.identity  # noqa: B018 - of the whole weights, while they are whole
    layers = list(encoder.model.get_submodule(encoder.family.layers).children())
    with torch.inference_mode(False):
        for layer in layers:
            whole = fully_shard(layer, mesh=mesh, reshard_after_forward=True)
            whole.unshard()  # buffers made inside inference mode could never be written outside it
            whole.reshard()
    return encoder
