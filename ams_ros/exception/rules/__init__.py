"""The rules, one per file; `detector.py` puts them together."""
