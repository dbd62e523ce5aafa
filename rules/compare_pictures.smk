# Comparisons of the chain of pictures: kinds, numbers of real pictures, settings.
rule compare_pictures:
    input:
        files.comparison("pictures"),


rule sizes:
    input:
        files.comparison("sizes"),


rule sweep:
    input:
        files.comparison("sweep"),
