"""``python -P -m loopviz.live.child FD``: serve what the program at the other end asks for."""

import sys

from loopviz.live.child.server import main

if __name__ == "__main__":  # multiprocessing's own children import it under another name
    main(int(sys.argv[1]))
