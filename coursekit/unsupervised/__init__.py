"""Learning without labels: k-means, mixtures, principal components, t-SNE, matrix factorization (notebook 15)."""
