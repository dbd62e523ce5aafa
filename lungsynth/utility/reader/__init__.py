"""The blind test: one offline page that asks real or generated, its sealed key, and the score of the answers."""
