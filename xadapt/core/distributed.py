"""Splitting of work over processes, for training, encoding and shards alike.

torchrun or accelerate starts the processes. Training splits the rows of a batch, and gathers them
with their gradients. Encoding splits the forwards (see `xadapt.backbones.shared_forwards`). A run
over shards gives every n-th shard to each process (see `xadapt.inference.bulk`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn

from xadapt.core.errors import UserError

T = TypeVar("T")
PATIENCE = timedelta(days=14)
"""Time that processes wait for the first process, which may encode for all or evaluate the run.

If a process dies, its connections close and the others notice at once. The limit is reached only if
a process hangs.
"""
SHARDS = {"ACCELERATE_USE_FSDP": "FSDP", "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
          "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM"}  # fmt: skip
"""Variables by which ``accelerate launch`` asks for a sharded model."""
_waiting: dict[Any, Any] = {}


class DistributedContext:
    """The processes of one run, as started by torchrun or accelerate.

    A single process is a group of one.

    Args:
        cpu: Whether the processes compute on the CPU.
        patience: Time that a process waits for the others, if half an hour is not enough.

    Attributes:
        rank: Number of this process, from 0.
        world: Number of processes.
        state: Accelerate's state, which holds the device.

    Raises:
        UserError: If ``accelerate launch`` asks for a sharded model.
    """

    def __init__(self, cpu: bool, patience: timedelta | None = None) -> None:
        _require_whole()
        self.state = PartialState(cpu=cpu, **({"timeout": patience} if patience else {}))
        self.rank, self.world = self.state.process_index, self.state.num_processes
        self._patient = _patient_group() if self.world > 1 else None

    @property
    def main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process is here, even if one of them works alone for a long time."""
        if self.world > 1:
            dist.barrier(group=self._patient)

    def owns(self, position: int) -> bool:
        """Whether this process works on a position; every ``world``-th position is its own."""
        return position % self.world == self.rank

    def share(self, n: int) -> list[int]:
        """Return the positions among ``n`` that this process works on."""
        return list(range(self.rank, n, self.world))

    def gather_rows(self, rows: Tensor, n: int) -> Tensor:
        """Gather all ``(n, dim)`` rows from the shares of the processes, in order, with gradient.

        Each process computes the same loss afterwards. The gradient of a row is therefore summed
        ``world`` times; `average_gradients` divides by ``world``.
        """
        if self.world == 1:
            return rows
        most = -(-n // self.world)
        padded = torch.cat([rows, rows.new_zeros(most - len(rows), rows.shape[1])])
        if torch.is_grad_enabled() and not padded.requires_grad:
            padded.requires_grad_()  # every process must reach the backward of the gathering
        stacked: Tensor = _Gather.apply(padded.contiguous())
        return stacked.reshape(-1, rows.shape[1])[:n]

    def total(self, value: Tensor) -> Tensor:
        """Sum a number over all processes, without gradient."""
        value = value.detach().clone()
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""
        if self.world == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=self.state.device)))

    def from_main(self, make: Callable[[], T]) -> T:
        """Compute a value in the main process, and give it to every process.

        The computation may take a long time.
        """
        box = [make() if self.main else None]
        if self.world > 1:
            dist.broadcast_object_list(box, device=torch.device("cpu"), group=self._patient)
        return cast(T, box[0])

    def from_each(self, value: T) -> list[T]:
        """Collect the values of all processes in every process, by rank."""
        found = [value] * self.world
        if self.world > 1:
            dist.all_gather_object(found, value)
        return found

    def exchange(self, own: Tensor | None) -> list[Tensor | None]:
        """Collect one tensor or ``None`` of each process in every process, by rank.

        The tensors have no gradient. Each may have its own shape and type. The results are on the
        device of the process.
        """
        facts = self.from_each(None if own is None else (own.shape, own.dtype))
        found: list[Tensor | None] = []
        for rank, fact in enumerate(facts):
            if fact is None:
                found.append(None)
                continue
            mine = rank == self.rank and own is not None
            value = (
                own.detach() if mine and own is not None else torch.empty(fact[0], dtype=fact[1])
            )
            value = value.to(self.state.device).contiguous()
            if self.world > 1:
                dist.broadcast(value.reshape(-1).view(torch.uint8), rank)  # any type travels
            found.append(value)
        return found

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes."""
        if self.world == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.world


def _require_whole() -> None:
    """Refuse a launch that asks for a sharded model: each process would hold the base whole.

    The first process evaluates and encodes alone, and forwards differ in number between processes,
    so the collectives of a sharded model would wait for ever.

    Raises:
        UserError: If it does.
    """
    for variable, name in SHARDS.items():
        if os.environ.get(variable, "").lower() in ("true", "1", "yes"):
            raise UserError(
                f"every process holds the base whole, and {name} would shard it",
                where="accelerate launch",
                todo=f"Launch without {name}; a base that does not fit: dtype int8 or nf4",
            )


def _patient_group() -> Any:
    """Return a group of all processes that waits for `PATIENCE`; the usual group gives up earlier.

    Its backend is gloo on GPUs too, because NCCL treats a long wait as a fault.
    """
    usual = dist.group.WORLD
    if usual not in _waiting:
        _waiting.clear()  # of a group that was destroyed
        _waiting[usual] = dist.new_group(backend="gloo", timeout=PATIENCE)
    return _waiting[usual]


class _Gather(torch.autograd.Function):
    """Gathering of ``(most, dim)`` per process to ``(most, processes, dim)``.

    The gradients are summed.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows)
        return torch.stack(parts, dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].contiguous().clone()
        dist.all_reduce(total)
        return total[:, dist.get_rank()]
