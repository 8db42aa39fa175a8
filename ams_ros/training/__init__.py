"""From demonstrations to a shipped checkpoint."""
