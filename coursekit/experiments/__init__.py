"""Experiments that take longer than a page may: `coursekit experiment NAME` makes their records in `data/results`.

`reference` holds the network, the data and the training that all of them start from. Each experiment can be interrupted
at any time and goes on from its last finished stage.
"""
