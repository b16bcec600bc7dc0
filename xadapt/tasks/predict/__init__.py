"""Answers of task heads: tags, classes, spans, scores and open triples, as plain Python values.

```python
from xadapt.tasks.predict import Tagger

tagger = Tagger.load("mini", "sw=sw-lang", "ner=ner", compose="sw + ner")
tagger.tag([["Amina", "anaishi", "Nairobi"]])
```
"""

from xadapt.tasks.predict.answer_finder import AnswerFinder
from xadapt.tasks.predict.classifier import Classifier
from xadapt.tasks.predict.open_ie import Extractor
from xadapt.tasks.predict.pair_scorer import PairScorer
from xadapt.tasks.predict.tagger import Tagger

__all__ = ["AnswerFinder", "Classifier", "Extractor", "PairScorer", "Tagger"]
