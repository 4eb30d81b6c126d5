"""Tests of the screens: keys pressed, disk asserted, goldens compared."""
