"""What can go wrong with the simulated robot, each with onset and duration in simulation time."""
