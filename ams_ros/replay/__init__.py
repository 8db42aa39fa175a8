"""Action replay: noticing that nothing happens any more, and going on guided by earlier successes (spec R1-R4)."""
