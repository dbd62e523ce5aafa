"""One file a metric; each registers itself under its file's name."""
