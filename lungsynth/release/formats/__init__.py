"""One file a format; each registers itself under its file's name."""
