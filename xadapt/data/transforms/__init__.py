"""Transforms: they make records from records. Each transform is one file, found by its name.

`xadapt.data.transforms.protocol` defines the contract.
"""

from __future__ import annotations

NOT_PARTS = ("frames", "protocol", "record_check", "scripts", "side_likeness", "split")
