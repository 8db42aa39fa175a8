"""Conditions that people write in YAML: what must hold, for how long, and when that matters."""
