"""The tables of RESULTS.md on knowledge graphs: what is in them, and the floors of both tasks."""

from __future__ import annotations

from objectives_tables import spread
from tables import table


def graphs(result: dict) -> str:
    """Counts of the sets, TF-IDF on links, and the most frequent tail."""
    return "\n".join((sets(result), alignment(result), completion(result)))


def sets(result: dict) -> str:
    """A line a set."""
    rows = []
    for name, one in result["sets"].items():
        facts, links = one["facts"], one.get("links", {})
        rows.append(
            [
                name,
                f"{one['entities']:,}",
                f"{one['relations']:,}" if one["relations"] else "",
                f"{sum(facts.values()):,}" if sum(facts.values()) else "",
                f"{sum(one['names'].values()):,} in {len(one['names'])}",
                f"{sum(links.values()):,}" if links else "",
                f"{one['crossing']:,}" if links else "",
                f"{one['cpu_seconds']:.1f}" if links else "",
            ]
        )
    head = ["set", "entities", "relations", "facts", "names in languages", "links"]
    return table([*head, "test links of a training component", "CPU s to read"], rows)


def alignment(result: dict) -> str:
    """A line a set of links: the share of equal names, and TF-IDF in both pools."""
    rows = []
    percent = "/".join(f"{100 * share:.0f}" for share in result["shares"])
    for pair, own in result["alignment"].items():
        rows.append([f"DBP-5L {pair}, {percent} by component", *cells(own["splits"])])
        if "drawn" in own:
            rows.append([f"DBP-5L {pair}, {result['drawn']:,} links drawn", *cells(own["drawn"])])
    for name, own in result["twins"].items():
        rows.append([f"{name}, test links of the data", *cells([own])])
    head = ["TF-IDF of names", "links", "same name"]
    pools = [
        f"{measure} {pool}" for pool in ("test pool", "whole pool") for measure in ("H@1", "MRR")
    ]
    return (
        table([*head, *pools], rows)
        + f"\nFrom the first graph to the second; {result['seeds']} seeds, ± is the deviation over "
        "them. Ranks are realistic. The test pool is the right entities of the test links alone, "
        "the whole pool all entities of the graph. Splits by component and the links drawn are "
        "ours, no published split; a larger test pool is harder.\n"
    )


def cells(runs: list[dict]) -> list[str]:
    """The cells of a line of links."""
    return [
        " / ".join(f"{run['links']:,}" for run in runs)
        if len({run["links"] for run in runs}) > 1
        else f"{runs[0]['links']:,}",
        spread([run["same name"] for run in runs]),
        *(
            spread([run[pool][measure] for run in runs])
            for pool in ("test pool", "whole pool")
            for measure in ("hits@1", "mrr")
        ),
    ]


def completion(result: dict) -> str:
    """A line a language: the most frequent training tail of the relation."""
    found = result["completion"]
    rows = [
        [
            f"DBP-5L {lang}",
            f"{one['entities']:,}",
            " / ".join(f"{count:,}" for count in one["facts"].values()),
            *(f"{one[measure]:.3f}" for measure in ("hits@1", "hits@10", "mrr")),
            f"{one['copied']:.1%}",
        ]
        for lang, one in found.items()
    ]
    means = [
        sum(one[m] for one in found.values()) / len(found) for m in ("hits@1", "hits@10", "mrr")
    ]
    rows.append(["mean", "", "", *(f"{mean:.3f}" for mean in means), ""])
    head = ["most frequent tail", "entities", "train / dev / test", "H@1", "H@10", "MRR", "copied"]
    return (
        table(head, rows)
        + "\nTails among all entities, filtered by all known facts, realistic ranks; no seed. "
        "Copied: test facts that are training facts of another of these languages under the links. "
        "The data has no Greek graph, so that these shares are below those with five languages.\n"
    )
