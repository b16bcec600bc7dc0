"""The only places that wire: train, compose, search weights, quickstart."""
