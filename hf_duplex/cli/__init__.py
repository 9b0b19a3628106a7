"""The command line `hf-duplex`: `app` holds the commands, the other files what the longer ones do."""
