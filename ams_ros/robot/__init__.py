"""What is robot-specific: profile, limits, kinematics."""
