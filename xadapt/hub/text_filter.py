"""A compact fingerprint of training texts, which tells whether a test text was trained on.

It is a Bloom filter (Bloom 1970, Space/time trade-offs in hash coding with allowable errors, CACM
13): a text that was added is always found. A text that was not added is found at a stated rate,
which is 1e-6 where the filter is not cut by its largest size. The places of a text follow from two
halves of one hash by enhanced double hashing (Dillinger and Manolios 2004, Bloom filters in
probabilistic verification, section 5.2). Texts are equal if their normal keys are, see
`xadapt.core.text_key`.

Whoever has the filter can ask whether a given text was trained on. Texts can't be read out of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.core.text_key import normal_key

FILE = "training_texts.safetensors"
RATE = 1e-6
MAX_BYTES = 8 * 2**20
"""The largest filter: 2.3 million texts at a rate of 1e-6, 4.6 million at 1e-3."""
MAX_FILTERS = 8
MAX_HASHES = 30
MAX_FILE = MAX_FILTERS * MAX_BYTES + 2**16
_MALFORMED = (SafetensorError, ValidationError, ValueError, KeyError, TypeError, AttributeError)


class _Said(BaseModel):
    """The header's entry for one filter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    hashes: Annotated[int, Field(ge=1, le=MAX_HASHES)]
    texts: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class TextFilter:
    """A Bloom filter over texts.

    Attributes:
        bits: The bits, eight in a byte, ``(bytes,)``.
        hashes: Number of places that a text has among the bits.
        texts: Number of distinct texts that were added.
    """

    bits: NDArray[np.uint8]
    hashes: int
    texts: int

    @classmethod
    def of(cls, texts: Iterable[str], rate: float = RATE, max_bytes: int = MAX_BYTES) -> TextFilter:
        """Make the filter of some texts.

        Args:
            texts: The texts; equal ones count once.
            rate: The share of other texts that may be found.
            max_bytes: The largest size. A filter that would be larger is cut to it and has a
                higher rate.
        """
        keys = np.unique(_keys(texts), axis=0)
        wanted = math.ceil(len(keys) * -math.log(rate) / math.log(2) ** 2 / 8)
        size = min(max(wanted, 8), max_bytes)
        hashes = min(max(round(8 * size / max(len(keys), 1) * math.log(2)), 1), MAX_HASHES)
        bits = np.zeros(size, np.uint8)
        for place in _places(keys, hashes, size):
            np.bitwise_or.at(bits, place >> np.uint64(3), _bit(place))
        return cls(bits, hashes, len(keys))

    @property
    def rate(self) -> float:
        """The expected share of other texts that are found, ``(1 - exp(-k n / m)) ** k``."""
        filled = -math.expm1(-self.hashes * self.texts / (8 * len(self.bits)))
        return float(filled**self.hashes)

    def seen(self, texts: Iterable[str]) -> NDArray[np.bool_]:
        """Tell of each text whether it was added, ``(n,)``."""
        keys = _keys(texts)
        found = np.ones(len(keys), np.bool_)
        for place in _places(keys, self.hashes, len(self.bits)):
            found &= (self.bits[place >> np.uint64(3)] & _bit(place)) > 0
        return found


def union_rate(filters: Sequence[TextFilter]) -> float:
    """Return the expected share of other texts that at least one of several filters finds."""
    return float(-math.expm1(sum(math.log1p(-min(one.rate, 1 - 1e-12)) for one in filters)))


def write_filters(folder: Path, filters: Sequence[TextFilter]) -> None:
    """Write filters into a folder, as safetensors; the write is not atomic.

    Args:
        folder: The folder.
        filters: The filter of the training texts, and those of modules that training began with.

    Raises:
        ValueError: If there are more than `MAX_FILTERS`.
    """
    if not 0 < len(filters) <= MAX_FILTERS:
        raise ValueError(f"{len(filters)} filters are none or too many for one file")
    said = json.dumps([{"hashes": one.hashes, "texts": one.texts} for one in filters])
    tensors = {str(number): one.bits for number, one in enumerate(filters)}
    save_file(tensors, str(folder / FILE), metadata={"filters": said})


def read_filters(path: Path) -> tuple[tuple[TextFilter, ...], bytes]:
    """Read the file of `write_filters`, and also return its bytes.

    Raises:
        UserError: If the file is absent, too large or malformed.
    """
    raw = read_bytes(path, MAX_FILE)
    try:
        return tuple(_parsed(raw, str(path))), raw
    except UserError as error:
        raise UserError(error.what, where=str(path)) from None
    except _MALFORMED as error:
        what = f"this is no fingerprint of training texts ({type(error).__name__})"
        raise UserError(what, where=str(path), todo="Fetch the folder again") from None


def _parsed(raw: bytes, where: str) -> Iterable[TextFilter]:
    length = int.from_bytes(raw[:8], "little")
    if length > min(2**16, len(raw) - 8):
        raise ValueError("sizes don't add up")
    header = parse_json(raw[8 : 8 + length], where=where)
    listed = parse_json(header["__metadata__"]["filters"], where=where)
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_FILTERS:
        raise ValueError("no list of filters")
    tensors = load(raw)
    if set(tensors) != {str(number) for number in range(len(listed))}:
        raise ValueError("other tensors than filters")
    for number, row in enumerate(listed):
        said, bits = _Said.model_validate(row), tensors[str(number)]
        if bits.dtype != np.uint8 or bits.ndim != 1 or not 0 < len(bits) <= MAX_BYTES:
            raise ValueError("no bits")
        yield TextFilter(bits, said.hashes, said.texts)


def _keys(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return two halves of a hash of each text, ``(n, 2)``."""
    raw = b"".join(
        xxhash.xxh3_128_digest(normal_key(text).encode("utf-8", "surrogatepass")) for text in texts
    )
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


def _places(keys: NDArray[np.uint64], hashes: int, size: int) -> Iterable[NDArray[np.uint64]]:
    """Yield the place of each key among the bits ``(n,)``, for each of the hashes."""
    place, step = keys[:, 0].copy(), keys[:, 1].copy()
    for number in range(hashes):
        yield place % np.uint64(8 * size)
        place += step
        step += np.uint64(number + 1)


def _bit(place: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the byte with the one bit of each place, ``(n,)``."""
    return np.left_shift(np.uint8(1), (place & np.uint64(7)).astype(np.uint8)).astype(np.uint8)
