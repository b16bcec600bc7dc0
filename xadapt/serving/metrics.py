"""Measures of the server in the format of Prometheus.

With several workers each process writes its numbers to files of one folder, which the environment
variable ``PROMETHEUS_MULTIPROC_DIR`` names; any worker answers for all.
"""

from __future__ import annotations

import os

from xadapt.core.errors import missing_extra

try:
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        generate_latest,
        multiprocess,
    )
except ModuleNotFoundError:
    raise missing_extra("prometheus-client", "serve") from None

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The counters and histograms of one server.

    Attributes:
        requests: Requests by route and status.
        seconds: Time from the headers to the answer, by route.
        texts: Texts that were answered, by model.
        tokens: Tokens that were computed, without padding.
        batch: Rows of a forward.
        forward: Time of a forward.
        refused: Requests that were not taken, by reason.
        cancelled: Requests whose client left before the answer.
        waiting: Texts that wait or are computed.
        modules: Modules that are loaded.
    """

    type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter("xadapt_requests", "Requests.", ["route", "status"], registry=own)
        self.seconds = Histogram(
            "xadapt_request_seconds", "Time of a request.", ["route"], registry=own, buckets=SECONDS
        )
        self.texts = Counter("xadapt_texts", "Texts that were answered.", ["model"], registry=own)
        self.tokens = Counter("xadapt_tokens", "Tokens that were computed.", registry=own)
        self.batch = Histogram(
            "xadapt_batch_rows", "Rows of a forward.", registry=own, buckets=COUNTS
        )
        self.forward = Histogram(
            "xadapt_forward_seconds", "Time of a forward.", registry=own, buckets=SECONDS
        )
        self.refused = Counter(
            "xadapt_refused", "Requests that were not taken.", ["reason"], registry=own
        )
        self.cancelled = Counter("xadapt_cancelled", "Requests whose client left.", registry=own)
        self.waiting = Gauge(
            "xadapt_waiting_texts",
            "Texts that wait or are computed.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self.modules = Gauge(
            "xadapt_modules", "Loaded modules.", registry=own, multiprocess_mode="livemax"
        )

    def text(self) -> bytes:
        """Return all measures as text; with several workers, those of all."""
        folder = os.environ.get(FOLDER)
        if not folder:
            return generate_latest(self.registry)
        every = CollectorRegistry()
        multiprocess.MultiProcessCollector(every, folder)  # type: ignore[no-untyped-call]
        return generate_latest(every)


def forget_process(pid: int, folder: str) -> None:
    """Remove the gauges of a worker that has ended."""
    multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
