"""Ray: encoders as actors, for Ray Data, for Ray Serve, and for shards that survive a kill.

Ray schedules and transports; the encoder is loaded once in each actor. Ray's own pools of actors
begin again after the driver is killed. The pool here is fed by `xadapt.encode_shards`, which keeps
every complete shard and goes on after them.

Source: Ray Data and Ray Serve, https://docs.ray.io/.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from xadapt.core.errors import UserError, missing_extra

Load = Callable[[], Any]
"""Loads an encoder, such as `xadapt.inference.encoder_spec.EncoderSpec`; it is sent to actors."""
T = TypeVar("T")
MAX_DEATHS = 20
"""How many actors of one run may die before the run gives up."""
TICK = 1.0


def require() -> Any:
    """Return the package ray.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise missing_extra("ray", "ray") from None
    return ray


class RayEncoder:
    """An actor for ``ray.data.Dataset.map_batches``: a column of texts becomes one of vectors.

    ```python
    spec = EncoderSpec("mini", ("sw",))
    vectors = texts.map_batches(
        RayEncoder, fn_constructor_args=(spec,), fn_constructor_kwargs={"language": "sw"},
        concurrency=2, batch_size=512,
    )
    ```

    Args:
        load: Loads the encoder; called once in each actor.
        column: Column of the texts.
        output: Column of the vectors.
        language: Language of all texts.
        language_column: Column of the languages.
        **options: Options of the encoder's ``encode``, such as ``normalize_embeddings=True``.
    """

    def __init__(
        self,
        load: Load,
        column: str = "text",
        output: str = "vector",
        language: str | None = None,
        language_column: str | None = None,
        **options: Any,
    ) -> None:
        self.model = load()
        self.column, self.output, self.language = column, output, language
        self.language_column, self.options = language_column, options

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Add the vectors of a batch, ``(rows, dim)``."""
        texts = [str(text) for text in batch[self.column]]
        tags: Any = self.language
        if self.language_column is not None:
            tags = [None if tag is None else str(tag) for tag in batch[self.language_column]]
        vectors = self.model.encode(texts, tags, show_progress_bar=False, **self.options)
        return {**batch, self.output: np.asarray(vectors)}


def ray_deployment(
    load: Load,
    *,
    max_batch_size: int = 64,
    batch_wait_timeout_s: float = 0.005,
    **deployment: Any,
) -> Any:
    """Make an application of Ray Serve with a route like ``/v1/embeddings``.

    Requests of different modules share a forward. For keys, bounds, routing by language and modules
    that come and go, put ``xadapt serve`` into a container instead.

    Args:
        load: Loads the encoder; called once in each replica.
        max_batch_size: Most requests of one forward.
        batch_wait_timeout_s: How long a request waits for others, in seconds.
        **deployment: Options of ``ray.serve.deployment``, such as ``num_replicas=2``.

    Returns:
        What ``ray.serve.run`` takes.

    Raises:
        UserError: If Ray Serve is not installed.
    """
    require()
    try:
        from ray import serve
    except ImportError:
        raise missing_extra("ray[serve]", "ray") from None

    class Embeddings:
        """One replica."""

        def __init__(self) -> None:
            self.model = load()

        @serve.batch(  # type: ignore[untyped-decorator]
            max_batch_size=max_batch_size, batch_wait_timeout_s=batch_wait_timeout_s
        )
        async def encode(self, requests: list[tuple[list[str], str]]) -> list[Any]:
            """Encode the texts of several requests together."""
            return encode_together(self.model, requests)

        async def __call__(self, request: Any) -> Any:
            """Answer one request."""
            body = await request.json()
            given = body["input"]
            texts = [given] if isinstance(given, str) else list(given)
            found = await self.encode((texts, body.get("model", "base")))
            if isinstance(found, str):
                from starlette.responses import JSONResponse

                error = {"message": found, "type": "invalid_request_error"}
                return JSONResponse({"error": error}, 400)
            rows = [
                {"object": "embedding", "index": i, "embedding": own} for i, own in enumerate(found)
            ]
            return {"object": "list", "data": rows, "model": body.get("model", "base")}

    return serve.deployment(Embeddings, **deployment).bind()


def encode_together(model: Any, requests: Sequence[tuple[list[str], str]]) -> list[Any]:
    """Encode the texts of several requests, each by its own composition, in common forwards.

    Args:
        model: The encoder.
        requests: Texts and the text of a composition; ``base`` is the bare base.

    Returns:
        For each request its vectors as lists of numbers, or the text of its mistake.
    """
    found: list[Any] = []
    parsed: list[tuple[int, list[str], Any]] = []
    for texts, name in requests:
        try:
            own = model.with_("none" if name == "base" else name).composition
            parsed.append((len(found), texts, own))
            found.append(None)
        except UserError as error:
            found.append(str(error))
    every = [text for _, texts, _ in parsed for text in texts]
    chosen = [own for _, texts, own in parsed for _ in texts]
    if not every:
        return [[] if own is None else own for own in found]
    vectors = model.encode(every, compositions=chosen, show_progress_bar=False).tolist()
    at = 0
    for place, texts, _ in parsed:
        found[place] = vectors[at : at + len(texts)]
        at += len(texts)
    return found


class RayPool:
    """Actors that each hold an encoder, and compute pieces of work in any order.

    An actor that dies is replaced, and its piece is computed again.

    Args:
        load: Loads the encoder; called once in each actor.
        workers: Number of actors.
        compute: Computes a piece of work with the encoder.
        cpus: Cores of an actor.
        gpus: GPUs of an actor, if it is not 0.

    Raises:
        UserError: If ray is not installed.
    """

    def __init__(
        self,
        load: Load,
        workers: int,
        compute: Callable[[Any, Any], Any],
        cpus: float = 1,
        gpus: float = 0,
    ) -> None:
        self._ray = require()
        self._own = not self._ray.is_initialized()
        if self._own:
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": max(1, workers)}
            self._ray.init(include_dashboard=False, log_to_driver=False, **local)

        class Holder:
            """One actor."""

            def __init__(self) -> None:
                self.model = load()

            def run(self, piece: Any) -> Any:
                """Compute a piece."""
                return compute(self.model, piece)

        remote: Any = self._ray.remote(num_cpus=cpus, num_gpus=gpus)(Holder)
        self._make = remote.remote
        self._actors = [self._make() for _ in range(workers)]
        self._deaths = 0

    def map(self, pieces: Iterable[tuple[int, T]]) -> Iterator[tuple[int, Any]]:
        """Compute pieces; yield their numbers and results as they come.

        Each actor has one piece at a time, so that little is in memory.

        Args:
            pieces: Numbers and pieces of work.

        Yields:
            Numbers and results.

        Raises:
            UserError: If too many actors die.
        """
        ray = self._ray
        waiting, idle = iter(pieces), deque(self._actors)
        running: dict[Any, tuple[Any, int, Any]] = {}
        again: deque[tuple[int, Any]] = deque()
        done = False
        while True:
            while idle and (again or not done):
                following = again.popleft() if again else next(waiting, None)
                if following is None:
                    done = True
                    break
                actor = idle.popleft()
                running[actor.run.remote(following[1])] = (actor, *following)
            if not running:
                return
            ready, _ = ray.wait(list(running), num_returns=1)
            for reference in ready:
                actor, number, piece = running.pop(reference)
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayActorError as error:
                    self._deaths += 1
                    if self._deaths > MAX_DEATHS:
                        first = str(error).strip().splitlines()[0]
                        raise UserError(f"{self._deaths} actors of ray died: {first}") from None
                    again.append((number, piece))
                    actor = self._make()
                    idle.append(actor)
                    continue
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None
                idle.append(actor)
                yield number, result

    def close(self) -> None:
        """End the actors, and ray if this pool started it."""
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor)
        if self._own:
            self._ray.shutdown()
