"""Ids that the Hub knows: licences, metrics and data sets, as a card's header names them."""

from __future__ import annotations

import re

OTHER, UNKNOWN = "other", "unknown"
_LISTED = """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m
    bigscience-bloom-rail-1.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
    cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
    creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2
    gemma gfdl gpl gpl-2.0 gpl-3.0 h-research intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr
    llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by
    ofl-1.1 openrail openrail++ osl-3.0 pddl postgresql unlicense wtfpl zlib other unknown
"""
LICENCES = frozenset(_LISTED.split())
"""The identifiers of licences in the Hub's documentation."""
METRICS = {
    "accuracy": "accuracy",
    "f1": "f1",
    "exact": "exact_match",
    "match": "exact_match",
    "spearman": "spearmanr",
    "pearson": "pearsonr",
    "precision": "precision",
    "recall": "recall",
    "mrr": "mrr",
    "ndcg@10": "ndcg_at_10",
    "mrr@10": "mrr_at_10",
    "recall@10": "recall_at_10",
    "perplexity": "perplexity",
}
"""Words in our names of measures, and the id of the metric on the Hub or in MTEB."""


def licence_fields(licence: str | None) -> dict[str, str]:
    """Return the fields of a header that state a licence; the Hub wants one on every card.

    Args:
        licence: SPDX id, or ``None`` if nobody stated it.
    """
    if licence is None:
        return {"license": UNKNOWN}
    own = licence.lower()
    return {"license": own} if own in LICENCES else {"license": OTHER, "license_name": own}


def metric_id(measure: str) -> str:
    """Return the id of the metric that a measure is, such as ``accuracy`` of ``accuracy to pivot``.

    A measure without a known metric keeps its own name, spelt as an id.
    """
    words = measure.lower().replace(",", " ").split()
    return next((METRICS[word] for word in words if word in METRICS), _slug(measure))


def data_id(name: str) -> str:
    """Return the id of test data: an id on the Hub as it is, any other name spelt as an id."""
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else _slug(name)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9@._]+", "-", text.lower()).strip("-.") or "other"
