"""An Inception-like network."""
