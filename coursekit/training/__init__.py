"""How networks are trained: optimizers (notebook 03), regularization (05), Adam in one vector (11), loops, schedules
and checkpoints (16).
"""
