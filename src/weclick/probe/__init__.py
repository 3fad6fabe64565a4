"""The probe: a linear classifier on frozen features, fitted to clicks in seconds; its map on a frame is the preview."""
