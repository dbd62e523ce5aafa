"""A detector of two steps, for tests: dense things are proposed, a small network says which are nodules."""
