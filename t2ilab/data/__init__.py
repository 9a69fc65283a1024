"""Pictures and captions: the drawn world, public data sets, and the one shape they all take."""
