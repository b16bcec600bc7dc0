from __future__ import annotations

import json
import random
from typing import Any

import pytest
from pydantic import BaseModel

from xadapt.core.json_spelling import is_as_written

VALUES: Any = {
    "text": 'a "quoted" \\ back\nslash, ünï, \u2028, \x01',
    "numbers": [0, -7, 4.0, 1e-5, 1.5e-7, 1e16, -0.0, 0.1, 2.5e300, 123456789012345678],
    "empty": [{}, [], "", None, True, False],
    "deep": {"a": {"b": [{"c": [1, [2]]}]}},
}


class Model(BaseModel):
    value: Any


def test_what_python_and_pydantic_write_is_as_written() -> None:
    assert is_as_written((json.dumps(VALUES, ensure_ascii=False, indent=2) + "\n").encode())
    assert is_as_written((Model(value=VALUES).model_dump_json(indent=2) + "\n").encode())


@pytest.mark.parametrize(
    "other",
    [
        b'{"a": 1}\n',
        b'{\n  "a": 1\n}',
        b'{\n  "a": 1\n}\n\n',
        b'{\n   "a": 1\n}\n',
        b'{\n  "a":  1\n}\n',
        b'{\n\t"a": 1\n}\n',
        b'{\n  "a": 1.00\n}\n',
        b'{\n  "a": 1E-5\n}\n',
        b'{\n  "a": 1e-005\n}\n',
        b'{\n  "a": "\\u0061"\n}\n',
        b'{\n  "a": NaN\n}\n',
        b"\xef\xbb\xbf{}\n",
        b"\xff\n",
        b"",
    ],
)
def test_every_other_spelling_is_noticed(other: bytes) -> None:
    assert not is_as_written(other)


def test_no_byte_can_change_without_a_change_of_the_content() -> None:
    raw = (Model(value=VALUES).model_dump_json(indent=2) + "\n").encode()
    rng, unseen = random.Random(3), 0
    for at in range(len(raw)):
        for _ in range(8):
            other = raw[:at] + bytes([raw[at] ^ rng.randrange(1, 256)]) + raw[at + 1 :]
            if is_as_written(other):
                assert json.loads(other) != json.loads(raw)
                unseen += 1
    assert unseen > 50  # letters of texts and digits: other content, spelt the same way
