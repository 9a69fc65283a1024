"""What is small enough to be summed or solved: finite spaces, divergences, Tu's update."""
