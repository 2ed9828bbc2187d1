"""The folder on PYTHONPATH by which `loopviz run --cmd` brings the agent into the processes of a command."""
