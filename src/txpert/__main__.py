"""``python -m txpert``: the command line."""

from txpert._cli import main

if __name__ == "__main__":
    main(prog_name="txpert")
