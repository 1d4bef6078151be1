"""Notebooks executed: one in a fresh kernel (`execute`), many with their records (`runs`), stored anew (`refresh`)."""
