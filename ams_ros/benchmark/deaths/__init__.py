"""`ams bench deaths`: what was asked for, what the figures are made of, and what they are to reach."""
