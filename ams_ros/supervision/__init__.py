"""The task loop, free of ROS."""
