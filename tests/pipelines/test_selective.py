"""Selective translation: kept parts stay, faults are repaired once or rejected, cuts go on."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.protected.checks import kept_fault
from xadapt.pipelines import selective
from xadapt.pipelines.selective import translate_selective

ROWS = [
    {"id": f"row {n}", "prompt": f"Please explain `f({n})` to me",
     "response": f"See https://a.org/{n} now"}
    for n in range(20)
]  # fmt: skip


class Reversing:
    """Writes words of letters backwards, so that all it reads is changed; it can spoil texts."""

    def __init__(self, spoil=lambda text: None, cut=10**9, name="reversing"):
        self.facts = {"translator": name}
        self.spoil, self.left, self.seen = spoil, cut, []

    def translate(self, texts, source, target):
        if self.left < 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.seen += texts
        return [self.one(text) for text in texts]

    def one(self, text):
        said = self.spoil(text)
        words = text.split(" ")
        turned = [w if "QZ" in w or not w.isalpha() else w[::-1] for w in words]
        return " ".join(turned) if said is None else said


@pytest.fixture
def go(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))

    def run(translator, rows=ROWS, **more):
        data = tmp_path / "en.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        given = {"translator": translator, "source": "en", "target": "es", **more}
        return translate_selective(data, tmp_path / "out.jsonl", **given)

    run.folder = tmp_path
    return run


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_come_out_as_conversations_with_their_kept_parts(go):
    result = go(Reversing())
    assert (result.rows, result.accepted, result.rejected, result.repaired) == (20, 20, 0, 0)
    assert result.kept == {"code": 20, "url": 20}
    assert read(go.folder / "out.jsonl")[3] == {
        "id": "row 3",
        "lang": "es",
        "messages": [
            {"role": "user", "content": "esaelP nialpxe `f(3)` ot em"},
            {"role": "assistant", "content": "eeS https://a.org/3 won"},
        ],
    }
    assert read(go.folder / "out.jsonl.log.jsonl") == []
    assert not (go.folder / "out.jsonl.work").exists()


SPOILT = {
    "a lost marker": lambda t: t.replace("QZ0QZ", "") if "QZ0QZ" in t else None,
    "a doubled marker": lambda t: t.replace("QZ0QZ", "QZ0QZ QZ0QZ") if "QZ0QZ" in t else None,
    "another number": lambda t: t.replace("QZ0QZ", "QZ7QZ") if "QZ0QZ" in t else None,
    "a small marker": lambda t: t.lower() if "QZ0QZ" in t else None,
    "nothing": lambda t: "" if "QZ" in t else None,
    "a refusal": lambda t: "I'm sorry, I can't help with that" if "QZ" in t else None,
    "a new address": lambda t: t + " https://b.org" if "QZ" in t else None,
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_fault_is_repaired_by_the_words_between(go, name):
    result = go(Reversing(SPOILT[name]))
    assert (result.accepted, result.repaired) == (20, 20)
    for row, made in zip(ROWS, read(go.folder / "out.jsonl"), strict=True):
        assert kept_fault(row["prompt"], made["messages"][0]["content"]) == ""
    assert {row["outcome"] for row in read(go.folder / "out.jsonl.log.jsonl")} == {"repaired"}


def test_a_fault_that_stays_is_rejected_with_its_reason(go):
    result = go(Reversing(lambda t: "" if t.startswith("See") else None))
    assert (result.accepted, result.rejected) == (0, 20)
    assert result.reasons == {"nothing came back": 20}
    first = read(go.folder / "out.jsonl.log.jsonl")[0]
    assert first["id"] == "row 0" and first["reason"] == first["first"] == "nothing came back"
    assert read(go.folder / "out.jsonl") == []


def test_a_translator_that_changes_nothing_is_no_translator(go):
    row = {"text": "These are more than eight words, and they stay as they are."}
    result = go(Reversing(lambda text: text), [row])
    assert result.reasons == {"nothing was translated": 1}


def test_rows_without_words_are_kept_as_they_are(go):
    code = "def f(n):\n    return n\n"
    result = go(spoilt := Reversing(lambda text: ""), [{"id": 1, "text": code}])
    assert result.untouched == result.accepted == 1 and not spoilt.seen
    assert read(go.folder / "out.jsonl") == [{"id": "1", "lang": "es", "text": code}]


def test_a_cut_run_goes_on_and_ends_as_one_that_was_not(go, monkeypatch):
    monkeypatch.setattr(selective, "GROUP", 3)
    whole = go(Reversing(name="whole"))
    wanted = (go.folder / "out.jsonl").read_bytes()
    (go.folder / "out.jsonl").unlink()
    seen = []
    for _ in range(20):
        cut = Reversing(cut=0)
        try:
            result = go(cut)
        except KeyboardInterrupt:
            assert not (go.folder / "out.jsonl").exists()
            seen += cut.seen
            continue
        seen += cut.seen
        break
    assert (go.folder / "out.jsonl").read_bytes() == wanted
    assert result.accepted == whole.accepted and len(seen) == len(set(seen))


def test_cut_work_is_refused_with_other_options(go):
    with pytest.raises(KeyboardInterrupt):
        go(Reversing(cut=-1))
    with pytest.raises(UserError, match="another value of keep"):
        go(Reversing(), keep=["url"])
    assert go(Reversing()).accepted == 20


def test_rows_of_the_source_are_mixed_in_at_their_rate(go):
    assert go(Reversing(), mix=0.5).mixed == 10
    rows = read(go.folder / "out.jsonl")
    assert [row["lang"] for row in rows[:6]] == ["es", "es", "en", "es", "es", "en"]
    assert rows[2]["messages"][0]["content"] == ROWS[0]["prompt"]
    assert go(Reversing(), mix=2).mixed == 20  # each once at most


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "must be an object"),
        ('{"id": 1}', "no text"),
        ('{"prompt": ""}', "empty"),
        ('{"prompt": 5}', "no text"),
        ('{"messages": [{"role": "cook", "content": "x"}]}', "role"),
        ('{"messages": [{"role": "user"}]}', "no text"),
        ('{"text": "a"', "not JSON"),
    ],
)
def test_a_malformed_row_is_told_with_its_line(go, tmp_path, line, said):
    data = tmp_path / "bad.jsonl"
    data.write_text('{"text": "fine"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=said) as fault:
        translate_selective(data, tmp_path / "o", translator=Reversing(), source="en", target="es")
    assert "bad.jsonl:2" in str(fault.value) and not (tmp_path / "o").exists()


def test_an_empty_file_is_refused_and_writes_nothing(go):
    with pytest.raises(UserError, match="no row"):
        go(Reversing(), [])
    assert not (go.folder / "out.jsonl").exists()


def test_an_unknown_kind_and_an_empty_file_are_named(tmp_path):
    data, more = tmp_path / "none.jsonl", tmp_path / "more.jsonl"
    data.write_text("", encoding="utf-8")
    more.write_text('{"text": "fine"}\n', encoding="utf-8")
    given = {"translator": Reversing(), "source": "en", "target": "es", "mix": 1.0}
    with pytest.raises(UserError, match=r"none\.jsonl"):
        translate_selective(data, tmp_path / "o", mix_data=more, **given)
    with pytest.raises(UserError, match="no kind 'maths'"):
        translate_selective(more, tmp_path / "o", keep=["maths"], **given)
