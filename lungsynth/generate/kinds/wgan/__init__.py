"""A convolutional Wasserstein critic of clipped weights."""
