"""The kinds of classifier: one folder each, `settings.py` and `network.py`."""
