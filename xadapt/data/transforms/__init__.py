"""Transforms: records in, records out; one file each, found by its name.

`xadapt.data.transforms.protocol` holds the contract.
"""

from __future__ import annotations

NOT_PARTS = ("frames", "protocol", "record_check", "scripts", "split")
