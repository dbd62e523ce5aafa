"""Comparisons: what each contender scored, as one table beside what a paper reports. No science of its own."""
