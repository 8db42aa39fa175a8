"""Vision-language-action policies behind one protocol; the only room of the core that imports torch."""
