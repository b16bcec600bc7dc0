"""One file a published system: how its module is trained, its ablations, its controls, its tests.

A file has an ``EXPERIMENT``: see `experiments.contract.Experiment`.
"""
