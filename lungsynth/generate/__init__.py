"""Stage 1: generators of nodules and of normal slices, what they draw, and which of it is kept."""
