"""Lines that people type in a notebook, in order, and what each gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_commands import write_tsv
from tiny_models import tiny_folder
from tiny_training import pairs

import xadapt
from xadapt.core.errors import UserError

GIVEN = '"translation_ranking", base=BASE, lang="de", epochs=1, rank=2, dtype="float32"'
MANY = GIVEN.replace('lang="de", ', "")
MISTAKE = object()

# What a line gives: a value, a part of the text of a mistake, or ``...`` for "it works".
LINES: list[tuple[str, Any]] = [
    ("from xadapt import AdaptedEncoder, Recipe, train, evaluate, compose, search, publish", ...),
    ("'lora' in xadapt.list_modules()", True),
    ("xadapt.list_recipes()['translation_ranking']['name']", "translation_ranking"),
    ("xadapt.list_tasks()['taging']", (MISTAKE, "did you mean 'tagging'")),
    # training
    (f"run = train({GIVEN}, data=rows, out='de', learning_rate=5e-4, seed=1)", ...),
    ("run.module.name", "de"),
    ("run.report().splitlines()[0]", "lora for de in de"),
    ("run.report() in repr(run) and '<table' in run._repr_html_()", True),
    ("list(run.history.to_pandas().columns)[:2]", ["step", "lr"]),
    ("run.evidence[0].metric", "accuracy to pivot"),
    (f"train({GIVEN}, data=pd.DataFrame(rows, columns=['en', 'de']), out='frame').module.name",
     "frame"),
    (f"train({GIVEN}, data=[{{'en': a, 'de': b}} for a, b in rows], out='dicts').module.name",
     "dicts"),
    (f"train({GIVEN}, data=Dataset.from_dict(dict(zip(('en', 'de'), zip(*rows)))), out='set')"
     ".module.name", "set"),
    (f"train({GIVEN}, data='pairs.tsv', out='file', settings={{'train': {{'warmup': 0.5}}}})"
     ".manifest.recipe['train']['warmup']", 0.5),
    (f"train({MANY}, data={{'de': rows, 'nl': rows}}, out='two')"
     ".modules[1].name", "nl"),
    (f"train({GIVEN}, data=rows, out='x', epoch=2)", (MISTAKE, "did you mean 'epochs'")),
    (f"train({GIVEN}, data=[], out='x')", (MISTAKE, "there is no row")),
    (f"train({GIVEN}, data='pairs.tvs', out='x')", (MISTAKE, "can't tell the format")),
    # encoding
    ("model = AdaptedEncoder.from_pretrained(BASE, 'de', dtype='float32')", ...),
    ("'de' in repr(model) and '<' in model._repr_html_()", True),
    ("model.encode('katze', language='de').shape", (32,)),
    ("model.encode(['katze', 'hund'], language='de', batch_size=1).shape", (2, 32)),
    ("type(model.encode(['katze'], language='de', convert_to_tensor=True)).__name__", "Tensor"),
    ("model.encode(np.array(['katze']), language='de', normalize_embeddings=True).dot("
     "model.encode('katze', language='de', normalize_embeddings=True)).round(4).tolist()", [1.0]),
    ("model.encode([], language='de').shape", (0, 32)),
    ("model.encode(['katze', None], language='de')", (MISTAKE, "text 1 is nothing")),
    ("model.encode(['katze'], language='de', show_progress_bar=True).dtype.name", "float32"),
    ("tuple(model.similarity(model.encode(['cat'], 'en'), model.encode(['katze', 'hund'], 'de'))"
     ".shape)", (1, 2)),
    ("xadapt.load(BASE, 'de').encode(['katze'], ['de']).shape", (1, 32)),
    ("xadapt.load(BASE, 'ed')", (MISTAKE, "ed")),
    ("model.save_pretrained('mine', base=BASE).name", "mine"),
    ("np.abs(AdaptedEncoder.from_pretrained('mine', dtype='float32').encode('katze', 'de')"
     " - model.encode('katze', 'de')).max() < 1e-5", True),
    ("np.abs(model.to_sentence_transformer('de').encode('katze')"
     " - model.encode('katze', 'de')).max() < 1e-5", True),
    # measuring and composing
    ("result = evaluate('bitext', base=BASE, data=rows, module='de')", ...),
    ("set(result.to_pandas().columns) >= {'system'}", True),
    ("'module' in repr(result) and '<table' in result._repr_html_()", True),
    ("type(result.plot()).__name__", "Axes"),
    ("compose('mix(de:.5, frame:.5)', base=BASE, out='both')", None),
    ("xadapt.load(BASE, 'both').encode('katze', 'de').shape", (32,)),
    ("xadapt.encode(['katze'], base=BASE, modules='de', languages='de').shape", (1, 32)),
    ("len(search(lang='de', folder='.')) > 0", True),
    ("publish('de', 'org/de', dry_run='upload')", ...),
]  # fmt: skip


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The names of the notebook, in a folder of its own."""
    import datasets
    import matplotlib
    import pandas

    matplotlib.use("Agg")
    folder, before = tmp_path_factory.mktemp("notebook"), Path.cwd()
    rows = [(pair.pivot, pair.text) for pair in pairs(60)]
    write_tsv(folder / "pairs.tsv", pairs(60))
    os.chdir(folder)
    yield {
        "xadapt": xadapt,
        "np": np,
        "pd": pandas,
        "Dataset": datasets.Dataset,
        "BASE": str(tiny_folder(folder / "base")),
        "rows": rows,
    }
    os.chdir(before)


def run(line: str, names: dict[str, Any]) -> Any:
    """Run a line; the value of an expression."""
    try:
        code = compile(line, "line", "eval")
    except SyntaxError:
        exec(line, names)
        return ...
    return eval(code, names)


@pytest.mark.xdist_group("notebook")
def test_every_line_gives_what_the_table_says(names: dict[str, Any]) -> None:
    assert len(LINES) >= 30
    wrong = []
    for line, gives in LINES:
        if isinstance(gives, tuple) and gives and gives[0] is MISTAKE:
            with pytest.raises(UserError) as error:
                run(line, names)
            assert "\n" not in str(error.value)
            found: Any = gives if gives[1] in str(error.value) else str(error.value)
        else:
            found = run(line, names)
        if gives is not ... and found != gives:
            wrong.append(f"{line}\n    gives {found!r}, not {gives!r}")
    assert not wrong, "\n".join(wrong)
