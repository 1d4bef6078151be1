"""How networks are trained: optimizers (notebook 03) and regularization (05)."""
