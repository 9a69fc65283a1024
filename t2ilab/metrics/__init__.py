"""Scores: Inception score, FID, KID with a named extractor; caption consistency."""
