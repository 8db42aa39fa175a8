"""The command line: one verb per file, and the pieces that several verbs share."""
