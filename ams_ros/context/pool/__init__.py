"""The pool over its tiers, index and eviction."""
