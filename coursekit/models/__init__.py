"""Whole models that notebooks share: the backbones of transfer learning (08), the transformer (10), language models and
a decision transformer (11), and the ruler that made digits are measured with (12)."""
