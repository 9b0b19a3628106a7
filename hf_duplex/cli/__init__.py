"""The command line `hf-duplex`: `app` registers the commands, one file each; `*_screen` and `demo_show` render."""
