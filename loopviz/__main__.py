"""``python -m loopviz``."""

import sys

from loopviz.cli import main

sys.exit(main())
