"""One file a task: record, head, prediction, metric, baselines, table."""
