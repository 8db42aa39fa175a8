"""Action context: the pool that remembers what inferences computed (spec C1-C7). No ROS, no torch."""
