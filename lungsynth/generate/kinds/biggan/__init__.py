"""Residual networks with spectral norm and self-attention."""
