"""What contexts and vectors are found by: exactly by input, and by similarity of their situation (spec C2, C4)."""
