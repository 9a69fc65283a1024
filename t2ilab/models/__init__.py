"""Networks only, one system a file."""
