"""Every code block of README and docs runs, in order, in a folder of its own."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.pages import ROOT, Block, blocks, pages, run

from xadapt.core import registry

LANGUAGES = {"python", "sh", "yaml", "toml", "json", "text", "csv"}
NOT_RUN = Counter(
    {
        "a server runs until it is stopped": 2,
        "a translator must be installed": 1,
        "curl is not of this package": 1,
        "docker is not of this package": 1,
        "installing": 3,
        "loads the data of mteb": 1,
        "make sets up environments": 1,
        "minutes of training": 6,
        "needs a second base": 1,
        "needs a token": 4,
        "needs the Hub": 2,
        "needs the module of the first run": 1,
        "pip install -e, then the commands": 1,
        "ray is not installed everywhere": 1,
        "searches the Hub": 2,
        "takes an index of yours": 1,
        "the base is on the Hub": 2,
        "the exporters are not installed everywhere": 1,
        "the tests of the project": 1,
        "torchrun starts processes of its own": 2,
        "train.tsv has English text, translation, label; test.tsv has German text, translation, "
        "label": 1,
    }
)
"""The reasons on the pages, by how often each is given."""


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, from which a page may import and register parts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    registry.names.cache_clear()


@pytest.mark.parametrize("page", pages(), ids=named)
def test_a_page_runs(page: Path, place: Path) -> None:
    run(page)


def test_what_is_not_run_is_listed() -> None:
    found = [block for page in pages() for block in blocks(page)]
    assert {block.language for block in found} <= LANGUAGES
    assert Counter(block.value for block in found if block.mark == "not run") == NOT_RUN


def page_of(folder: Path, text: str) -> Path:
    (folder / "page.md").write_text(text, encoding="utf-8")
    return folder / "page.md"


def test_blocks_are_found_with_their_marks_and_lines(tmp_path: Path) -> None:
    text = "a\n<!-- not run: it is long -->\n```sh\nmake\n```\n\n<!--\n```python\nx = 1\n```\n-->\n"
    assert list(blocks(page_of(tmp_path, text))) == [
        Block("page.md:3", "sh", "make\n", "not run", "it is long"),
        Block("page.md:8", "python", "x = 1\n"),
    ]


def test_words_are_swapped_whole(tmp_path: Path) -> None:
    text = """<!-- in tests: a/b is mini -->
<!-- in tests: sample is s.tsv -->
<!-- in tests: sample:test is t.tsv -->
```sh
xadapt --base a/b --data sample --dev sample:test --out samples/sample a/b/c
```
"""
    [block] = blocks(page_of(tmp_path, text))
    wanted = "xadapt --base mini --data s.tsv --dev t.tsv --out samples/sample a/b/c\n"
    assert block.body == wanted


@pytest.mark.parametrize(
    "text",
    [
        "```python\nraise ValueError\n```",
        "```sh\nls\n```",
        "```sh\nxadapt explain nothing\n```",
        "<!-- fails -->\n```sh\nxadapt explain lora\n```",
        "```python\nprint(1)\n```\n<!-- prints -->\n```text\n2\n```",
        "```python\nx = 1\n```\n```python\nassert x == 2\n```",
    ],
)
def test_a_block_that_is_wrong_fails(text: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError)):
        run(page_of(tmp_path, text))


def test_what_is_right_passes(place: Path) -> None:
    text = """
<!-- file: inner/a.txt -->
```text
hello
```

```python
print(open("inner/a.txt").read(), 1)
```

<!-- prints -->
```text
hello
...
```

<!-- needs: no_such_module -->
```python
import no_such_module
```

<!-- fails -->
```sh
xadapt explain \\
    lroa   # a mistyped name
```

<!-- prints -->
```text
xadapt: ...did you mean 'lora'...
```
"""
    run(page_of(place, text))
