"""How good a detector is: LUNA16's rules, operating points, Dice."""
