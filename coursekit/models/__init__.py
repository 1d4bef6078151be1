"""Whole models that notebooks share: the backbones of transfer learning (08)."""
