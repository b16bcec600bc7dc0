from tiny_commands import Place, good, xadapt


def test_links_are_written_a_line_a_pair(place: Place, tmp_path):
    out = tmp_path / "links.txt"
    given = ("align-words", "--base", place.base, "--data", place.test, "--out", out)
    done = good(*given)
    assert str(out) in done.out
    lines = out.read_text().splitlines()
    assert len(lines) == len(place.test.read_text(encoding="utf-8").splitlines())
    assert all("-" in part for line in lines for part in line.split())
    again = xadapt(*given)
    assert again.code == 2 and "such a file already" in again.err
    good(*given, "--force", "--method", "itermax", "--layer", 1, "--units", "words")
    assert out.read_text().splitlines() != lines
    good(*given, "--force", "--columns", "2,1")
    turned = [sorted(part.split("-")[::-1] for part in line.split()) for line in lines]
    found = [sorted(part.split("-") for part in x.split()) for x in out.read_text().splitlines()]
    assert found == turned


def test_mistakes_are_one_line_and_leave_nothing(place: Place, tmp_path):
    out = tmp_path / "links.txt"
    given = ("align-words", "--base", place.base, "--out", out, "--data")
    for more, said in (
        ((tmp_path / "none.tsv",), "no such file"),
        ((place.test, "--columns", "1"), "not two columns"),
        ((place.test, "--columns", "1,7"), "column"),
        ((place.test, "--method", "best"), "method is argmax"),
        ((place.test, "--layer", 77), "no layer 77"),
    ):
        done = xadapt(*given, *more)
        assert done.code == 2 and said in done.err, said
        assert "Traceback" not in done.err and not out.exists()
    same = xadapt(*given[:-2], place.test, "--data", place.test, "--force")
    assert same.code == 2


def test_help_lists_it(capsys):
    assert "align-words" in xadapt("--help").out
