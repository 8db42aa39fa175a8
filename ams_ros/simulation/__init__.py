"""The simulated robot: MuJoCo arm, tasks and the scripted expert."""
