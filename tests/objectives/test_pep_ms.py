"""The row of the table for PEP_MS; what becomes of tokens is in test_entity_prediction."""

from __future__ import annotations

from xadapt.objectives.pep_ms import PartialEntityMS


def test_its_row_of_the_table():
    own = PartialEntityMS().masking()
    assert (own.unit, own.probability) == ("token", 1.0)
    assert (own.mask_rate, own.random_rate, own.same_rate) == (0.8, 0.0, 0.2)
    assert PartialEntityMS(mlm=True).masking().probability == 0.5
