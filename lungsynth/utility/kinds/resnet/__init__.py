"""A residual network."""
