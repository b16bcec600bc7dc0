"""Extract predicates and arguments from dependency trees by rules, in any UD language.

Only universal parts of speech and relations are read, so that the same rules hold in every treebank
of Universal Dependencies (https://universaldependencies.org/u/dep/). The rules make a silver
standard, not a human one. Their errors affect every system that is measured on this standard.

**Predicates.** A predicate is a verb that heads a clause (relation root, ccomp, xcomp, csubj,
advcl, acl, parataxis, or a conjunct of one, or with a subject of its own). A copula is a predicate
if its complement heads a clause. The span of a predicate is the contiguous part around the verb or
copula of these words: the verb, its auxiliaries, its particles and light verbs (``compound``), its
reflexive clitics (``expl:pv``, ``expl:pass``, ``expl:impers``) and the particle of negation.
Adverbs of one word between these or directly before them are included, and so are "no", "ne" and
"never". Separated parts, such as the German finite verb of a verb-final bracket, belong to neither
predicate nor argument. Prepositions stay with their noun.

**A0** is the subject (``nsubj``, ``csubj``, also passive). A conjunct without a subject shares the
subject of its head. An ``xcomp`` takes the object of its governor, or else the governor's subject.
In a clause that modifies a noun (``acl``), the noun replaces the relative pronoun in any role. If
there is neither such a pronoun nor a ``mark`` (a clause with a mark is no participle), the noun is
the subject if there is no subject, or else the object if there is no object. There are no other
guesses: a dropped pronoun leaves A0 empty.

**A1** is the ``obj``. If there is no ``obj``, A1 is a ``ccomp`` or ``xcomp``. If there is none, A1
is the first of ``iobj`` and ``obl``. **A2** and **A3** are the next of all these in the order of
words. After a copula, A1 is the complement without the other parts of the clause.

**Spans** are contiguous. For a discontinuous subtree, the span is the part around its head.
Punctuation inside a span is kept, and punctuation at the edges is removed. The span of a noun that
the clause modifies excludes the clause. A predicate is dropped if it has no argument, or if its
span overlaps the span of an earlier predicate.

**Known faults**, seen in PUD: a Turkish participle takes its noun as subject in any role, and
"olarak" counts as a copula. A German particle or participle at the end of the clause is omitted.
French "pas" after a simple verb is lost. An adverb directly before a verb joins the verb's span.

The roles are those of Multi²OIE, Ro et al. 2020, https://arxiv.org/abs/2009.08128, section 3; rules
over universal dependencies for open extraction: PredPatt, White et al. 2016,
https://aclanthology.org/D16-1177.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import ClassVar, Literal

from xadapt.data.records import PREDICATE, ROLES, OpenTriples, ParsedSentence, TaggedSentence
from xadapt.data.transforms.protocol import Applies, Services

CLAUSES = frozenset({"root", "ccomp", "xcomp", "csubj", "advcl", "acl", "parataxis"})
SUBJECTS = frozenset({"nsubj", "csubj"})
COMPLEMENTS = frozenset({"obj", "iobj", "ccomp", "xcomp", "obl"})
CLITICS = frozenset({"expl:pv", "expl:pass", "expl:impers"})
AROUND = COMPLEMENTS | SUBJECTS | {
    "cop", "aux", "mark", "advcl", "parataxis", "vocative", "discourse", "expl", "dislocated",
}  # fmt: skip
# Only English omits relative pronouns. Then one of these words may begin the clause.
PERSONAL = frozenset({"i", "you", "he", "she", "it", "we", "they"})
PASSED = ("PUNCT", "ADP")
Argument = tuple[int, Set[int]]  # its head, and words that are not part of it
Spans = tuple[tuple[int, int, str], ...]


def open_triples(sentences: Iterable[ParsedSentence]) -> list[OpenTriples]:
    """Extract predicates and arguments from each sentence, by the rules above."""
    return [
        OpenTriples(s.words, _Tree(s).extractions(), s.lang, origin=s.origin) for s in sentences
    ]


def predicates(sentences: Iterable[ParsedSentence]) -> list[TaggedSentence]:
    """Return the predicates of each sentence, as spans of type ``P``."""
    return [
        TaggedSentence(s.words, tuple(e[0] for e in s.extractions), s.lang, origin=s.origin)
        for s in open_triples(sentences)
    ]


def arguments(sentences: Iterable[ParsedSentence]) -> list[OpenTriples]:
    """Return the sentences with at least one extraction."""
    return [row for row in open_triples(sentences) if row.extractions]


@dataclass(frozen=True)
class OpenIE:
    """Make open extractions from dependency trees, by the rules of this file.

    Source: Multi²OIE, Ro et al. 2020, https://arxiv.org/abs/2009.08128, section 3.

    Attributes:
        find: ``predicates`` gives sentences with tagged predicates. ``arguments`` gives the
            sentences with at least one extraction, with their predicates and arguments.
    """

    find: Literal["predicates", "arguments"] = "arguments"

    consumes: ClassVar[type] = ParsedSentence
    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "all"

    @property
    def gives(self) -> type:
        """The record class: `TaggedSentence` for predicates, `OpenTriples` for arguments."""
        return TaggedSentence if self.find == "predicates" else OpenTriples

    def apply(
        self, records: Sequence[ParsedSentence], services: Services
    ) -> list[TaggedSentence] | list[OpenTriples]:
        """Make one record a sentence. For arguments, skip sentences without an extraction."""
        rows = services.track(records, "open extraction from trees")
        return predicates(rows) if self.find == "predicates" else arguments(rows)


class _Tree:
    """One sentence. Words are numbered from 0 and the head of the root is -1."""

    def __init__(self, sentence: ParsedSentence) -> None:
        self.words = [word.lower() for word in sentence.words]
        self.upos, self.relations = sentence.upos, sentence.relations
        self.heads = [head - 1 for head in sentence.heads]
        self.kinds = [
            relation.split(":")[0] if head else "root"
            for relation, head in zip(sentence.relations, sentence.heads, strict=True)
        ]
        self.children: list[list[int]] = [[] for _ in self.words]
        for word, head in enumerate(self.heads):
            if head >= 0:
                self.children[head].append(word)
        self.clauses: dict[int, bool] = {}  # results of `_heads_clause`

    def extractions(self) -> tuple[Spans, ...]:
        """Return one extraction for each predicate, in the order of the predicates."""
        found: list[Spans] = []
        taken: set[int] = set()
        for word in range(len(self.words)):
            for centre in self._centres(word):
                start, stop = self._predicate(word, centre)
                spans = self._arguments(word, centre, frozenset(range(start, stop)))
                if spans and not taken & set(range(start, stop)):
                    taken |= set(range(start, stop))
                    found.append(((start, stop, PREDICATE), *spans))
        return tuple(sorted(found))

    def _centres(self, word: int) -> list[int]:
        """Return the predicate centres of a clause head: its copula, itself, both or none."""
        copulas = self._of(word, {"cop"})
        if not self._heads_clause(word):
            return []
        if not self._verbal(word):
            return copulas[:1]
        return [*(copulas[:1] if self._outer(word) else []), word]

    def _verbal(self, word: int) -> bool:
        """Return whether a word is a verb, or the head of a light verb."""
        light = (self.upos[c] == "VERB" for c in self._of(word, {"compound"}))
        return self.upos[word] in ("VERB", "AUX") or any(light)

    def _heads_clause(self, word: int) -> bool:
        way = [word]
        while way[-1] not in self.clauses and self.kinds[way[-1]] == "conj":
            if self._of(way[-1], SUBJECTS | {"cop"}):
                break
            way.append(self.heads[way[-1]])
        last = way[-1]
        own = self.kinds[last] in CLAUSES or bool(self._of(last, SUBJECTS | {"cop"}))
        self.clauses.update(dict.fromkeys(way, self.clauses.get(last, own)))
        return self.clauses[word]

    def _predicate(self, word: int, centre: int) -> tuple[int, int]:
        """Return the span of a predicate around its centre."""
        verbal = centre == word
        own, adverbs = {centre}, set[int]()
        first = min(self._below(word))
        for child in self.children[word]:
            kind = self.kinds[child]
            joins = kind == "aux" or (verbal and self._joins(child))
            if joins:
                own |= {child, *self._of(child, {"fixed", "goeswith"})}
            elif kind == "advmod" and not self.children[child]:
                asks = child == first and self.kinds[word] in ("acl", "advcl", "ccomp")
                (own if self.upos[child] == "PART" else set() if asks else adverbs).add(child)
        start, stop = centre, centre + 1
        while (at := _past(stop, 1, own, adverbs)) is not None:
            stop = at + 1
        while (at := _past(start - 1, -1, own, adverbs)) is not None:
            start = at
        while start - 1 in adverbs:
            start -= 1
        return start, stop

    def _joins(self, child: int) -> bool:
        kind, relation = self.kinds[child], self.relations[child]
        plain = kind == "cop" and not self._outer(self.heads[child])
        return kind == "compound" or relation in CLITICS or plain

    def _arguments(self, word: int, centre: int, predicate: frozenset[int]) -> Spans:
        subject = self._subject(word, outer=centre != word)
        rest = self._complements(word) if centre == word else self._after_copula(word, centre)
        spans: list[tuple[int, int, str]] = []
        taken: Set[int] = predicate
        for role, argument in zip(ROLES, [subject, *rest], strict=False):
            if argument is None or argument[0] in taken | argument[1]:
                continue
            start, stop = self._span(argument[0], argument[1] | taken)
            if start < stop:
                spans.append((start, stop, role))
                taken = taken | set(range(start, stop))
        return tuple(spans)

    def _complements(self, word: int) -> list[Argument]:
        """Return the arguments after the subject: the object or its substitute, then the others."""
        there = self._of(word, COMPLEMENTS)
        ranks = {"obj": 0, "ccomp": 1, "xcomp": 1}
        there.sort(key=lambda child: (ranks.get(self.kinds[child], 2), child))
        order = [*there[:1], *sorted(there[1:])]
        found = [self._resolved(child, word) for child in order]
        objects = any(self.kinds[child] in ranks for child in there)
        return [self._modified(word), *found] if self._gap(word) and not objects else found

    def _gap(self, word: int) -> bool:
        """Return whether a clause modifies a noun, has a subject, and begins with no relative."""
        own = {w for subject in self._of(word, SUBJECTS) for w in self._below(subject)}
        after = self.heads[word] < word
        return self._participle(word) and bool(own) and not (after and self._first(word) not in own)

    def _after_copula(self, word: int, copula: int) -> list[Argument]:
        """Return the complement of a copula, then the other dependents of the complement."""
        if self._verbal(word):
            other = {w for child in (copula, *self._outer(word)) for w in self._below(child)}
            return [(word, other)]
        rest = [self._resolved(child, word) for child in self._of(word, COMPLEMENTS)]
        return [(word, self._around(word)), *rest]

    def _around(self, word: int) -> frozenset[int]:
        """Return the words of a nominal head's clause that are not part of its own phrase."""
        if not self._heads_clause(word):
            return frozenset()
        around = [child for child in self.children[word] if self.kinds[child] in AROUND]
        around += [child for child in self._of(word, {"conj"}) if self._states(child)]
        return frozenset(w for child in around for w in self._below(child))

    def _states(self, word: int) -> bool:
        """Return whether a conjunct is a clause of its own."""
        return self._verbal(word) or bool(self._of(word, SUBJECTS | {"cop"}))

    def _subject(self, word: int, outer: bool = False) -> Argument | None:
        """Return the subject of a clause, its own or a shared one."""
        if outer and self._outer(word):
            return self._resolved(self._outer(word)[0], word)
        while True:
            own = [c for c in self._of(word, SUBJECTS) if c not in self._outer(word)]
            head, kind = self.heads[word], self.kinds[word]
            if kind == "xcomp":
                own = own or self._of(head, {"obj"})
            if own:
                return self._resolved(own[0], self.heads[own[0]])
            if kind != "xcomp" and not (kind == "conj" and self._heads_clause(head)):
                return self._modified(word) if self._participle(word) else None
            word = head

    def _outer(self, word: int) -> list[int]:
        """Return the subjects of a copula with a whole clause as complement."""
        return [c for c in self.children[word] if self.relations[c].endswith("subj:outer")]

    def _participle(self, word: int) -> bool:
        """Return whether a clause modifies a noun with neither a relative pronoun nor a mark."""
        if self.kinds[word] != "acl" or self._of(word, {"mark"}):
            return False
        return not any(self._relative(child, word) for child in self.children[word])

    def _relative(self, child: int, word: int) -> bool:
        """Return whether a dependent is the relative pronoun of a clause after its noun."""
        modifies = self.kinds[word] == "acl" and self.heads[word] < word
        if not modifies or self.upos[child] not in ("PRON", "DET"):
            return False
        plain = all(self.kinds[c] in ("case", "det", "punct") for c in self.children[child])
        begins = self._first(word) in (child, *self._of(child, {"det"}))
        return plain and begins and self.words[child] not in PERSONAL

    def _first(self, word: int) -> int:
        """Return the first word of a clause, without punctuation and prepositions."""
        return min(w for w in self._below(word) if w == word or self.upos[w] not in PASSED)

    def _resolved(self, child: int, word: int) -> Argument:
        """Return a dependent, or the noun that a relative pronoun refers to."""
        return self._modified(word) if self._relative(child, word) else (child, frozenset())

    def _modified(self, word: int) -> Argument:
        """Return the noun that a clause modifies, without the clause and the noun's preposition."""
        head = self.heads[word]
        return head, self._below(word) | self._around(head) | set(self._of(head, {"case"}))

    def _span(self, head: int, other: Set[int]) -> tuple[int, int]:
        """Return the contiguous part of a subtree around its head, bridging inner punctuation."""
        marks = {w for w, upos in enumerate(self.upos) if upos == "PUNCT"}
        words = (self._below(head) - other) | {head}
        start, stop = head, head + 1
        while (at := _past(stop, 1, words, marks - other)) is not None:
            stop = at + 1
        while (at := _past(start - 1, -1, words, marks - other)) is not None:
            start = at
        while start < stop and start in marks:
            start += 1
        while start < stop and stop - 1 in marks:
            stop -= 1
        return start, stop

    def _of(self, word: int, kinds: Set[str]) -> list[int]:
        return [child for child in self.children[word] if self.kinds[child] in kinds]

    def _below(self, word: int) -> frozenset[int]:
        """Return a word and all its descendants."""
        found, rest = {word}, [word]
        while rest:
            new = self.children[rest.pop()]
            found.update(new)
            rest += new
        return frozenset(found)


def _past(at: int, step: int, own: Set[int], bridges: Set[int]) -> int | None:
    """Return the next word of ``own`` from a place on, with only bridges between."""
    while at in bridges and at not in own:
        at += step
    return at if at in own else None


Part = OpenIE
