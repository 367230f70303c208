"""HTTP for a predictor: the gateway's events, pictures, the journal, the page."""
