from __future__ import annotations

from xadapt.training.metrics_log import MetricsLog, read_metrics


def test_rows_after_the_checkpoint_are_cut(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl", True)
    for step in range(1, 6):
        log.add({"step": step, "loss": step / 2})
    log.add({"step": 5, "dev": {"score": 1}})
    log.cut(3)
    assert [row["step"] for row in read_metrics(log.path)] == [1, 2, 3]
    log.cut(0)
    assert read_metrics(log.path) == [] and log.path.exists()


def test_a_line_that_was_cut_is_left_out(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1}]
    MetricsLog(path, True).cut(2)
    assert path.read_text() == '{"step": 1}\n'
    assert read_metrics(tmp_path / "absent") == []


def test_only_one_process_writes(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl", False)
    log.cut(0)
    log.add({"step": 1})
    assert list(tmp_path.iterdir()) == []
