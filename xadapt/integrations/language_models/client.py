"""Ask a language model: retries with back-off, replies from the cache, forms, counts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from xadapt.backbones.cache.folder import cache_folder
from xadapt.core.errors import UserError
from xadapt.integrations.language_models.opening import open_language_model
from xadapt.integrations.language_models.protocol import (
    LanguageModel,
    Question,
    RejectedQuestionError,
    Reply,
    TemporaryFaultError,
)
from xadapt.integrations.language_models.replies_file import RepliesFile
from xadapt.integrations.language_models.reply_cache import ReplyCache
from xadapt.integrations.language_models.structured import (
    RefusalError,
    ReplyFaultError,
    read_reply,
    shortened,
)

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
R = TypeVar("R")
Messages = Sequence[tuple[str, str]]
FOLDER = "language_models"
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second attempt at most, and before any later one."""
PATIENCE = 600.0
"""The longest wait, in seconds, that an endpoint may ask for."""
BROKEN = 8
"""Questions that failed one after another, after which the model counts as out of order."""
MILLION = 1_000_000


class NoAnswerError(Exception):
    """A question that ends without a usable reply; the text says why."""


class OutOfReachError(NoAnswerError):
    """A question that a model which is out of order did not answer; it may do so later."""


class StoppedError(Exception):
    """The work was stopped while a question waited."""


@dataclass
class Usage:
    """What was asked in this session.

    Attributes:
        asked: Replies that the model gave.
        cached: Replies that were known.
        retries: Attempts that gave no reply and were followed by another one.
        failed: Questions that ended without a reply.
        prompt_tokens: Tokens of the questions, as the model counts them.
        completion_tokens: Tokens of the replies.
        uncounted: Replies for which the model gave no count of tokens.
        cost: Price of the tokens; ``None`` without prices.
    """

    asked: int = 0
    cached: int = 0
    retries: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    cost: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        if self.asked and self.uncounted == self.asked:
            tokens = "tokens not counted by the model"
        said = f"{self.asked:,} replies ({tokens}), {self.cached:,} from the cache"
        said += f", {self.retries:,} retries" if self.retries else ""
        return said + (f", cost {self.cost:.4f}" if self.cost is not None else "")


@dataclass
class Client:
    """A language model that is asked by several threads, each question once.

    Two threads with one question share one request. A reply is in the cache before it is used.

    Args:
        model: The model.
        cache: Where replies are kept; ``None`` keeps them in this object alone.
        price: Price of a million tokens of questions, and of replies.
        attempts: Requests for a question until it counts as failed.
        replies: Replies that may be asked for until one has the right form.
        wait: Called with seconds; returns true if the work was stopped meanwhile.

    Attributes:
        usage: What was asked.
    """

    model: LanguageModel
    cache: ReplyCache | None = None
    price: tuple[float, float] | None = None
    attempts: int = 6
    replies: int = 2
    wait: Callable[[float], bool] | None = None
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self._facts = dict(self.model.facts)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._asked: dict[str, Future[Reply]] = {}
        self._row = 0  # questions that failed one after another
        self._random = random.Random()
        if self.price is not None:
            self.usage.cost = 0.0

    @property
    def facts(self) -> Mapping[str, str]:
        """The facts of the model."""
        return self._facts

    def stop(self) -> None:
        """Let every question that waits, and every new one, raise `StoppedError`.

        A request under way is finished, and its reply is kept.
        """
        self._stop.set()

    def close(self) -> None:
        """Close the cache."""
        if self.cache is not None:
            self.cache.close()

    def reply(self, question: Question) -> Reply:
        """Return the reply to a question: a known one, or that of the model.

        Raises:
            OutOfReachError: If the model gives none after all attempts.
            NoAnswerError: If it rejects the question.
            StoppedError: If the work was stopped.
            UnansweredError: If a file of replies lacks it.
            UserError: If the model answers no question: a wrong key, an unknown name, too many
                failures one after another, or too long a wait.
        """
        with self._lock:
            there = self._asked.get(question.key)
            own: Future[Reply] = Future() if there is None else there
            if there is None:
                self._asked[question.key] = own
        if there is not None:
            found = there.result()
            self._count(cached=1)
            return found
        try:
            own.set_result(self._found(question))
        except BaseException as error:
            own.set_exception(error)
            raise
        finally:
            if self.cache is not None or own.exception() is not None:
                with self._lock:
                    del self._asked[question.key]
        return own.result()

    def ask(
        self,
        messages: Messages,
        form: type[M],
        check: Callable[[M], str] = lambda _: "",
        *,
        max_tokens: int = 1024,
        temperature: float = 0.0,
        sample: int = 0,
    ) -> M:
        """Ask for JSON of a form.

        A reply of another form, one that was cut, and one that ``check`` finds a fault in is asked
        for once more: the model is told the fault, or has twice the tokens.

        Args:
            messages: The conversation as ``(role, text)``.
            form: The form.
            check: Returns a fault of the value, or an empty text.
            max_tokens: The most tokens of the reply.
            temperature: As for `Question`.
            sample: As for `Question`.

        Raises:
            NoAnswerError: If no reply can be used; the text is the last fault.
            StoppedError: As for `reply`.
            UnansweredError: As for `reply`.
            UserError: As for `reply`.
        """
        question = Question(
            tuple(messages), form.model_json_schema(), form.__name__.strip("_").lower(),
            max_tokens, temperature, sample,
        )  # fmt: skip
        fault = ""
        for _ in range(self.replies):
            reply = self.reply(question)
            try:
                value = read_reply(reply, form)
                fault = check(value)
            except RefusalError as error:
                raise NoAnswerError(f"refused: {error}") from None
            except ReplyFaultError as error:
                fault = str(error)
            if not fault:
                return value
            question = _again(question, reply, fault)
        raise NoAnswerError(fault)

    def each(self, work: Callable[[T], R], items: Sequence[T], workers: int) -> list[R]:
        """Do work on items in threads, and return the results in their order.

        If the work fails or is interrupted, requests under way are finished, and their replies are
        kept.

        Args:
            work: The work on an item, which asks this client.
            items: The items.
            workers: Number of threads.

        Raises:
            UserError: As for `reply`.
        """
        pool = ThreadPoolExecutor(max_workers=workers)
        try:
            return list(pool.map(work, items))
        except BaseException:
            self.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _found(self, question: Question) -> Reply:
        known = None if self.cache is None else self.cache.find(self._facts, question)
        if known is not None:
            self._count(cached=1)
            return known
        reply = self._asked_until(question)
        reply = replace(reply, text=reply.text.encode("utf-8", "replace").decode())
        if self.cache is not None:
            self.cache.add(self._facts, question, reply)
        counted = bool(reply.prompt_tokens or reply.completion_tokens)
        self._count(
            asked=1, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens,
            uncounted=int(not counted),
        )  # fmt: skip
        return reply

    def _asked_until(self, question: Question) -> Reply:
        """Ask until there is a reply, or all attempts are used."""
        for attempt in range(1, self.attempts + 1):
            if self._stop.is_set():
                raise StoppedError
            try:
                reply = self.model.reply(question)
            except TemporaryFaultError as fault:
                if attempt == self.attempts:
                    raise self._failed(fault) from None
                self._count(retries=1)
                self._sleep(fault, attempt)
                continue
            except RejectedQuestionError as error:
                self._count(failed=1)
                raise NoAnswerError(f"the model rejects the question: {error}") from None
            with self._lock:
                self._row = 0
            return reply
        raise AssertionError("there is at least one attempt")

    def _failed(self, fault: TemporaryFaultError) -> Exception:
        with self._lock:
            self._row += 1
            broken = self._row >= BROKEN
        self._count(failed=1)
        if broken:
            return UserError(
                f"{BROKEN} questions one after another had no reply; the last fault: {fault.what}",
                where=self._name(),
                todo="Finished rows are kept: run the same command again when the model answers",
            )
        return OutOfReachError(f"no reply after {self.attempts} attempts: {fault.what}")

    def _sleep(self, fault: TemporaryFaultError, attempt: int) -> None:
        """Wait as long as the endpoint says, else for a random part of a time that doubles."""
        if fault.after is not None and fault.after > PATIENCE:
            raise UserError(
                f"the model asks to wait {fault.after:,.0f} s: {fault.what}",
                where=self._name(),
                todo="Finished rows are kept: run the same command again then",
            )
        with self._lock:
            drawn = self._random.random()
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
        seconds = fault.after + 0.1 * drawn if fault.after is not None else longest * drawn
        if (self.wait or self._stop.wait)(seconds):
            raise StoppedError

    def _count(self, **counts: int) -> None:
        with self._lock:
            for name, count in counts.items():
                setattr(self.usage, name, getattr(self.usage, name) + count)
            if self.price is not None:
                tokens = (counts.get("prompt_tokens", 0), counts.get("completion_tokens", 0))
                cost = sum(n * p for n, p in zip(tokens, self.price, strict=True)) / MILLION
                self.usage.cost = (self.usage.cost or 0.0) + cost

    def _name(self) -> str:
        return self._facts.get("address") or self._facts.get("model") or "the language model"


def open_client(
    model: str | LanguageModel,
    *,
    key_env: str | None = None,
    price: tuple[float, float] | None = None,
    cache: str | Path | None = None,
) -> Client:
    """Open a client with the cache of this machine.

    Args:
        model: A language model, or the text that names one.
        key_env: As for `open_language_model`.
        price: Price of a million tokens of questions, and of replies.
        cache: Folder of the cache; by default one in the cache of xadapt. Replies of a file are
            not kept again.

    Raises:
        UserError: If the model can't be opened, or the cache can't.
    """
    opened = open_language_model(model, key_env=key_env) if isinstance(model, str) else model
    if isinstance(opened, RepliesFile):
        return Client(opened, price=price)
    return Client(opened, ReplyCache(cache or cache_folder() / FOLDER), price)


def parse_price(text: str) -> tuple[float, float]:
    """Read prices such as ``0.15,0.6``: of a million tokens of questions, and of replies.

    Raises:
        UserError: If the text is no such pair.
    """
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        first = second = -1.0
    if not (0 <= first < float("inf") and 0 <= second < float("inf")):
        raise UserError(
            f"{text[:40]!r} are no two prices", where="--price",
            todo="Write the price of a million tokens of questions and of replies, such as .15,.6",
        )  # fmt: skip
    return first, second


def _again(question: Question, reply: Reply, fault: str) -> Question:
    """Return the question that asks for a better reply."""
    if fault == "cut at the limit of tokens":
        return replace(question, max_tokens=2 * question.max_tokens)
    asked = f"Your reply can't be used: {fault}. Reply again, with the JSON object alone."
    given = ("assistant", shortened(reply.text) or "(nothing)")
    return replace(question, messages=(*question.messages, given, ("user", asked)))
