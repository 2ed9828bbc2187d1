"""Random applications that stamp their own truth, to compare with what loopviz says of them."""
