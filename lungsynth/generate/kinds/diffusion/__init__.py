"""A diffusion model."""
