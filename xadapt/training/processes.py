"""The processes of a run, under the name that training gives them."""

from __future__ import annotations

from xadapt.core.distributed import DistributedContext

Processes = DistributedContext
