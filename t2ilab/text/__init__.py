"""Captions to vectors: tokens, word vectors, caption encoders."""
