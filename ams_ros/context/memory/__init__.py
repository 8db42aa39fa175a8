"""Flat storage: columns, rows and tables without an object for each entry, and copies at the speed of the C library."""
