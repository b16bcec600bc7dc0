from __future__ import annotations

import json
from pathlib import Path

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.hub_rows import HubRows
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import LabelledText


def test_rows_of_a_data_set_become_records(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [
        {"text": "habari", "label": "good", "id": 1},
        {"text": "hapana", "label": "bad", "id": 2},
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = f"hf:{folder}"
    notes = Notes()
    found = list(read_in_memory(HubRows(source), "labelled_text", Request("sw", "sw"), notes))
    assert found == [LabelledText("habari", "good", "sw"), LabelledText("hapana", "bad", "sw")]
    assert found[0].origin == f"{source}:1"
    assert notes.lines[-1] == "set: column 'id' is not used"


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't read this data set"):
        HubRows(f"hf:{tmp_path / 'none'}")
