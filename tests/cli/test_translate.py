"""``xadapt translate``: a file of translations that the other verbs read."""

from __future__ import annotations

import pytest
from tiny_commands import Done, xadapt


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "t.tsv").write_text("a dog\tein Hund\na cat\teine Katze\n", encoding="utf-8")
    (tmp_path / "en.txt").write_text("a cat\n\na  dog \na cat\n", encoding="utf-8")
    return tmp_path


def run(folder, *more: str) -> Done:
    given = {
        "--data": f"{folder}/en.txt", "--translator": f"file:{folder}/t.tsv", "--source": "en",
        "--target": "de", "--out": f"{folder}/out.tsv",
    }  # fmt: skip
    given |= dict(zip(more[::2], more[1::2], strict=True))
    return xadapt("translate", *(word for pair in given.items() for word in pair))


def test_each_text_is_written_with_its_translation(files):
    assert run(files).code == 0
    written = (files / "out.tsv").read_text(encoding="utf-8")
    assert written == "a cat\teine Katze\na dog\tein Hund\n"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--translator", "google", "unknown translator"),
        ("--target", "xx-nothing", "unknown language tag"),
        ("--data", "nowhere.txt", "nowhere.txt"),
        ("--out", "{}/t.tsv", "t.tsv"),
        ("--out", "{}/en.txt", "en.txt"),
    ],
)
def test_a_mistake_gets_one_line_and_writes_nothing(files, option, value, said):
    before = sorted(path.name for path in files.iterdir())
    done = run(files, option, value.replace("{}", str(files)))
    assert done.code == 2 and len(done.lines) == 1
    assert said in done.err
    assert sorted(path.name for path in files.iterdir() if path.name != "cache") == before
