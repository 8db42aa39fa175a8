"""What reuse and guidance are worth: `ams bench reuse`."""
