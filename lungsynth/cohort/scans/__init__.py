"""Whatever whole scans lie in a folder, each read by the reader that knows its kind."""
