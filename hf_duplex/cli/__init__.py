"""The command line `hf-duplex`: `app` joins the commands, one file each; `*_screen` and `demo_show` draw."""
