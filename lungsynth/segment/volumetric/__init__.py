"""The third dimension: each candidate of any detector is judged once more, from a cube of the scan round it."""
