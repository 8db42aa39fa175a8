"""What a robot can tell by itself: that something was grasped and let go of over a place, or pulled and gave way."""
