"""What the pool lets go of first: one policy per file behind one protocol (spec C6)."""
