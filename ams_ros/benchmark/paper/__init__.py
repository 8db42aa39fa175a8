"""The paper's experiments: cells of episodes, each run once, and the figures made of them."""
