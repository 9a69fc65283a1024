"""The speeds of the course, each beside a reference measured in the same run: `make bench`."""
