"""Answers of task heads: tags, classes, spans, scores and open triples, as plain Python values.

```python
from xadapt.predict import Tagger

tagger = Tagger.load("mini", "sw=sw-lang", "ner=ner", compose="sw + ner")
tagger.tag([["Amina", "anaishi", "Nairobi"]])
```
"""

from xadapt.predict.answer_finder import AnswerFinder
from xadapt.predict.classifier import Classifier
from xadapt.predict.open_ie import Extractor
from xadapt.predict.pair_scorer import PairScorer
from xadapt.predict.tagger import Tagger

__all__ = ["AnswerFinder", "Classifier", "Extractor", "PairScorer", "Tagger"]
