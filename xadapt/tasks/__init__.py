"""Tasks: what a module is measured by and what a task head answers. One file a task.

```python
from xadapt.tasks import Tagger

tagger = Tagger.load("mini", "sw=sw-lang", "ner=ner", compose="sw + ner")
tagger.tag([["Amina", "anaishi", "Nairobi"]])
```

A task is a file with a ``Part``, an instance of `xadapt.tasks.protocol.Task`: its record, head,
prediction, metrics, baselines and table. The command line, the Python function `evaluate`, training
and the contract test find it by its file, or by an entry point of the group ``xadapt.tasks``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xadapt.tasks.candidate_ranking import CandidateRanker
    from xadapt.tasks.classification import Classifier
    from xadapt.tasks.multi_label import MultiLabelClassifier
    from xadapt.tasks.open_ie import Extractor
    from xadapt.tasks.pair_classification import PairClassifier
    from xadapt.tasks.passage_filter import TextRater
    from xadapt.tasks.protocol import Task
    from xadapt.tasks.qa import AnswerFinder
    from xadapt.tasks.relation import RelationClassifier
    from xadapt.tasks.run_task import evaluate
    from xadapt.tasks.span_labeller import SpanLabeller
    from xadapt.tasks.sts import PairScorer
    from xadapt.tasks.tagging import Tagger

NOT_PARTS = (
    "fused_heads",
    "alignment",
    "development",
    "emea",
    "head_task",
    "kg",
    "label_options",
    "predictor",
    "protocol",
    "run_prediction",
    "run_task",
    "span_labeller",
    "table",
    "target_probability",
)

_PUBLIC = {
    "AnswerFinder": "qa",
    "CandidateRanker": "candidate_ranking",
    "Classifier": "classification",
    "Extractor": "open_ie",
    "MultiLabelClassifier": "multi_label",
    "PairClassifier": "pair_classification",
    "PairScorer": "sts",
    "RelationClassifier": "relation",
    "SpanLabeller": "span_labeller",
    "Tagger": "tagging",
    "Task": "protocol",
    "TextRater": "passage_filter",
    "evaluate": "run_task",
}
__all__ = [
    "AnswerFinder",
    "CandidateRanker",
    "Classifier",
    "Extractor",
    "MultiLabelClassifier",
    "PairClassifier",
    "PairScorer",
    "RelationClassifier",
    "SpanLabeller",
    "Tagger",
    "Task",
    "TextRater",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"xadapt.tasks.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
