import json

from tiny_commands import Place, good, xadapt


def test_tokens_of_a_file(place: Place, tmp_path):
    text = tmp_path / "text.txt"
    words = ["бара", "кора", "мира", "тела", "сила"]
    text.write_text("\n".join(f"{a} {b} {c}" for a in words for b in words for c in words))
    given = ("tokens", "--base", place.base, "--text", text, "--lang", "ru", "--size", 200)
    done = good(*given, "--json", tmp_path / "found.json")
    assert "An own vocabulary for ru is worth it" in done.out.splitlines()[-1]
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["command"] == "tokens" and found["own"]["unknown"] == 0
    assert done.out.count("\n") == len(done.out.splitlines()) and "held-out" in done.out


def test_mistakes_are_one_line(place: Place, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one line\n")
    for more, said in (
        (("--text", tmp_path / "absent.txt", "--lang", "ru"), "absent.txt"),
        (("--text", text, "--lang", "ru"), "1 different texts"),
        (("--text", text, "--lang", "ru", "--size", 3), "100 to 200,000"),
    ):
        done = xadapt("tokens", "--base", place.base, *more)
        assert done.code == 2 and said in done.err and len(done.lines) <= 2
