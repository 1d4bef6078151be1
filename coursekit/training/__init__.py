"""How networks are trained: optimizers (notebook 03), regularization (05), loops, schedules and checkpoints (16)."""
