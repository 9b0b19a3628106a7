"""What dual-track reflection is worth: `hf-duplex bench reflection`, a command for each question."""
