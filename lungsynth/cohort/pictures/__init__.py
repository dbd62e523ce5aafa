"""Single pictures in class folders, or in a zip of equal squares: listed, judged, and cut to one size."""
