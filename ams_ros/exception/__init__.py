"""Action exception: seeing that something went wrong while a slice is under execution (spec rows E1-E3)."""
