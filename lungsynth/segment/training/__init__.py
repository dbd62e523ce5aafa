"""What a segmenter learns from: windows round nodules and round what is none, changed anew for every batch."""
