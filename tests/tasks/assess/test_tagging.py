from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Place, good, xadapt


def evaluate(place: Place, data: Path, *more: object) -> tuple[object, ...]:
    return ("evaluate", "tagging", "--base", place.base, "--data", data, *more)


def test_a_table_for_people(made: tuple[Place, Path], head: Path) -> None:
    place, folder = made
    done = good(*evaluate(place, folder / "test.conll", "--module", head))
    assert "30 sentences" in done.out and "most frequent label" in done.out
    assert "F1 by type: ANIMAL" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_labels_the_head_lacks_are_told(
    made: tuple[Place, Path],
    head: Path,
    tmp_path: Path,
) -> None:
    place, folder = made
    text = (folder / "test.conll").read_text(encoding="utf-8")
    some = tmp_path / "some.conll"
    some.write_text(text + "\nx\tB-PLANT\n", encoding="utf-8")
    done = good(*evaluate(place, some, "--module", head))
    assert "no label B-PLANT" in done.err
    none = tmp_path / "none.conll"
    none.write_text(text.replace("ANIMAL", "PLANT"), encoding="utf-8")
    done = xadapt(*evaluate(place, none, "--module", head))
    assert done.code == 2 and "knows none of the data's labels" in done.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--format", "conllx"), "did you mean 'conll"),
        (("--format", "conllu"), "ten columns"),
        (("--compose", "{folder}/de"), "none of these modules has a task head"),
        (("--compose", "nowhere"), "no such module folder"),
        (("--emea", "2", "--against", "x"), "--against: EMEA"),
    ],
)
def test_mistakes_are_one_line(
    made: tuple[Place, Path],
    head: Path,
    more: tuple[str, ...],
    said: str,
) -> None:
    place, folder = made
    given = [part.format(folder=folder) for part in more]
    data = folder / "test.conll"
    own = [] if "--compose" in given else ["--module", head]
    done = xadapt(*evaluate(place, data, *own, *given))
    assert done.code == 2 and said in done.err and len(done.lines) == 1, done.err


def test_data_of_another_scheme_is_refused(
    made: tuple[Place, Path],
    head: Path,
    tmp_path: Path,
) -> None:
    place, _ = made
    file = tmp_path / "a.conllu"
    file.write_text("1\tdie\t_\tDET\t_\t_\t_\t_\t_\t_\n", encoding="utf-8")
    done = xadapt(*evaluate(place, file, "--module", head, "--format", "conllu"))
    assert done.code == 2 and "knows none" in done.err
