"""`python -m t2ilab`: the command line, also for launchers (`torchrun -m t2ilab train ...`)."""

from t2ilab.cli import main

if __name__ == "__main__":
    main(prog_name="t2ilab")
