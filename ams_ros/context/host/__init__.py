"""The host tier: one contiguous area of shared memory, and how other processes read and write beside it (C3, C5)."""
