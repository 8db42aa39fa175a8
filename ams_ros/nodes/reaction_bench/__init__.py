"""The processes of `ams bench reaction`: the real nodes with a stopwatch in them, and the control without rules."""
