"""`python -m lorawiz` is the same program as `lorawiz`."""

from lorawiz.cli import main

main()
