"""``python -P -m loopviz.live.child FD``: serve what the program at the other end asks for."""

import sys

if __name__ == "__main__":  # multiprocessing's own children import it and need nothing of it
    from loopviz.live.child.server import main

    main(int(sys.argv[1]))
