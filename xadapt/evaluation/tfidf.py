"""The control without training: TF-IDF over character n-grams.

Names and cognates are often spelt alike across languages. The matches that this control finds
need no encoder, so a module must beat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from xadapt.core.errors import UserError

NAME = "tf-idf"


@dataclass(frozen=True)
class SparseCosine:
    """Cosine similarity of sparse unit rows ``queries (n, grams)`` and ``pool (m, grams)``."""

    queries: csr_matrix
    pool: csr_matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of queries and the size of the pool."""
        return self.queries.shape[0], self.pool.shape[0]

    def rows(self, start: int, stop: int) -> Tensor:
        """Compute the cosines ``(stop - start, pool)``, float32; only these rows are ever dense."""
        return torch.from_numpy((self.queries[start:stop] @ self.pool.T).toarray())

    def swapped(self) -> SparseCosine:
        """Return the same similarity with queries and pool swapped."""
        return SparseCosine(self.pool, self.queries)


def similarity(queries: Sequence[str], pool: Sequence[str]) -> SparseCosine:
    """Compute the TF-IDF cosine of character 2- to 4-grams inside word boundaries, lower-cased.

    The weights are fitted on both sides together (scikit-learn's ``char_wb``). A text without any
    n-gram has cosine 0 with everything.

    Raises:
        UserError: If a side is empty, or no text of either has a character.
    """
    if not queries or not pool:
        raise UserError("the TF-IDF control needs texts on both sides")
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    try:
        rows = vectorizer.fit_transform([*queries, *pool]).tocsr()
    except ValueError:
        raise UserError("the texts hold no characters to compare") from None
    return SparseCosine(rows[: len(queries)], rows[len(queries) :])
