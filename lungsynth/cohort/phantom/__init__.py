"""A seeded digital chest: CT scans of patients who never lived, with lungs, nodules and their truth."""
