"""Small pure functions on logits and tensors, one family a file."""
