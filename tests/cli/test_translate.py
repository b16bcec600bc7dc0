"""``xadapt translate``: a file of translations that the other verbs read."""

from __future__ import annotations

import json

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


def test_the_numbers_are_written_as_json(files):
    assert run(files, "--json", f"{files}/r.json").code == 0
    found = json.loads((files / "r.json").read_text(encoding="utf-8"))
    assert (found["texts"], found["translated"]) == (2, 2)


ROWS = [
    {"id": "a", "prompt": "a cat `x`", "response": "a dog"},
    {"id": "b", "prompt": "a cat", "response": "a bird {n}"},
]
MADE = [
    {"id": "a", "lang": "de", "messages": [{"role": "user", "content": "eine Katze `x`"},
                                           {"role": "assistant", "content": "ein Hund"}]},
    {"id": "b", "lang": "de", "messages": [{"role": "user", "content": "eine Katze"},
                                           {"role": "assistant", "content": "ein Vogel {n}"}]},
]  # fmt: skip


@pytest.fixture
def rows(files):
    (files / "en.txt").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    (files / "t.tsv").write_text(
        "a cat\teine Katze\na dog\tein Hund\na cat QZ0QZ\teine Katze QZ0QZ\n"
        "a bird QZ0QZ\tein Vogel\na bird\tein Vogel\n", encoding="utf-8"
    )  # fmt: skip
    return files


def selective(folder, *more: str) -> Done:
    given = ("--data", f"{folder}/en.txt", "--source", "en", "--target", "de")
    files = ("--translator", f"file:{folder}/t.tsv", "--out", f"{folder}/out.jsonl")
    return xadapt("translate", "--selective", *given, *files, *more)


def test_instructions_are_translated_around_what_is_kept(rows):
    done = selective(rows, "--json", f"{rows}/r.json", "--log", f"{rows}/why.jsonl")
    assert done.code == 0, done.err
    assert "2 rows: 2 accepted (1 of them repaired" in done.out
    written = (rows / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in written] == MADE
    [log] = (rows / "why.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(log)["first"] == "lost '{n}'"
    found = json.loads((rows / "r.json").read_text(encoding="utf-8"))
    assert (found["accepted"], found["kept"]) == (2, {"code": 1, "placeholder": 1})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--keep", "maths"], "there is no kind 'maths'"),
        (["--log", "{}/en.txt"], "en.txt"),
        (["--mix", "1", "--mix-data", "{}/nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_a_mistake_of_selective_translation_gets_one_line(rows, more, said):
    done = selective(rows, *(word.replace("{}", str(rows)) for word in more))
    assert done.code == 2 and len(done.lines) == 1 and said in done.err
    assert not (rows / "out.jsonl").exists()


def test_options_of_selective_translation_need_it(files):
    done = run(files, "--keep", "code")
    assert done.code == 2 and "need --selective" in done.err


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
