"""The detail network: from a coarse slice to one at full size."""
