"""``python -m polytene``, and the ``polytene`` command."""

from polytene.cli import polytene


def main() -> None:
    """Run the command line."""
    polytene(prog_name="polytene")


if __name__ == "__main__":
    main()
