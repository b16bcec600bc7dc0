import json

from tiny_commands import Place, good, xadapt


def test_a_profile_is_printed_drawn_and_written(place: Place, tmp_path):
    page, result = tmp_path / "page.html", tmp_path / "found.json"
    given = ("profile", "--base", place.base, "--lang", "de", "--limit", 60)
    done = good(*given, "--out", page, "--json", result)
    found = json.loads(result.read_text())
    [row] = found["languages"]
    [base] = row["systems"]
    assert found["command"] == "profile" and row["pairs"] == 60
    accuracy = f"{base['accuracy']:.3f}".removeprefix("0")
    assert accuracy in done.out and accuracy in page.read_text() and f"wrote {page}" in done.out
    good(*given, "--out", page)  # its own page may be written over


def test_a_file_of_the_user_stays(place: Place, tmp_path):
    own = tmp_path / "mine.html"
    own.write_text("mine")
    given = ("profile", "--base", place.base, "--lang", "de", "--limit", 60, "--out", own)
    done = xadapt(*given)
    assert done.code == 2 and "no page of a profile" in done.err and own.read_text() == "mine"
    good(*given, "--force")
    assert own.read_text() != "mine"


def test_mistakes_are_one_line(place: Place, tmp_path):
    for more, said in (
        (("--lang", "en"), "en is the pivot"),
        (("--lang", "de", "--limit", 3), "20 pairs or more"),
        (("--lang", "de", "--noise", 7), "at most 1"),
        (("--lang", "de", "--module", tmp_path / "absent"), "absent"),
        (("--lang", "xx-nothing-there"), "xx-nothing-there"),
    ):
        done = xadapt("profile", "--base", place.base, *more)
        assert done.code == 2 and said in done.err and len(done.lines) <= 2
