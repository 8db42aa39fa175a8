"""The disk tier: content-addressed packs and an SQLite index that survive a kill, and portable exports (spec C3)."""
