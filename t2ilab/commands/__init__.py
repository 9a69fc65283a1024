"""The commands of `t2ilab`, one file per group; `t2ilab.cli` puts them together."""
