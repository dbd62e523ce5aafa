"""Where the measures of real chest CT lie.

Source: three whole scans and 24 single slices of other patients (TCGA), the ranges a little widened (FACTS 11.1). They
were taken on a grid of 1.25 mm. Slices of larger pixels reach 1 in no set: compare sets of one pixel size; real slices
are the floor.
"""

from typing import NamedTuple


class Range(NamedTuple):
    """A measure of a slice and where it lies in real CT, both ends included; the group is for tables and pictures."""

    group: str
    measure: str
    low: float
    high: float
    unit: str


RANGES = (
    Range("shape", "body width", 270, 440, "mm"),
    Range("shape", "body depth", 175, 320, "mm"),
    Range("shape", "lung width", 85, 145, "mm"),
    Range("shape", "fat share", 0.06, 0.5, ""),
    Range("shape", "bone share", 0.012, 0.10, ""),
    Range("shape", "rib sections", 8, 23, ""),
    Range("density", "lung HU mean", -895, -760, "HU"),
    Range("density", "lung HU sd", 65, 185, "HU"),
    Range("density", "lung HU 5 %", -965, -860, "HU"),
    Range("density", "lung HU 50 %", -920, -795, "HU"),
    Range("density", "lung HU 95 %", -740, -500, "HU"),
    Range("density", "lung HU 50 to 95 %", 110, 345, "HU"),
    Range("density", "gravity slope", -0.5, 6, "HU/cm"),
    Range("density", "fat peak", -116, -90, "HU"),
    Range("density", "soft tissue peak", 28, 70, "HU"),
    Range("texture", "texture slope", -2.6, -1.5, ""),
    Range("texture", "texture sd", 45, 85, "HU"),
    Range("texture", "parenchyma sd", 18, 36, "HU"),
    Range("texture", "noise sd", 5, 20, "HU"),
    Range("texture", "noise length", 1, 2.6, "mm"),
    Range("texture", "edge 10 to 90 %", 1, 3.3, "mm"),
    Range("vessels", "vessels 1-2 mm", 2, 18, "/100 cm²"),
    Range("vessels", "vessels 2-3 mm", 1.2, 8, "/100 cm²"),
    Range("vessels", "vessels 3-5 mm", 2, 10, "/100 cm²"),
    Range("vessels", "vessels 5-8 mm", 0.9, 6, "/100 cm²"),
    Range("vessels", "vessels > 8 mm", 0.5, 3.5, "/100 cm²"),
    Range("vessels", "vessel area", 1.4, 6, "%"),
    Range("vessels", "vessel length", 0.6, 3, "mm/cm²"),
)
"""Of every measure of `measures.measure`."""
