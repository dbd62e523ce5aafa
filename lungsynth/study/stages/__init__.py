"""The settings of every stage: one model a stage, a sentence and a unit for each key. config.yaml shows them all.

Kinds (readers, segmenters, generators, extractors) keep their own settings in their own folders; here their blocks are
plain mappings, of which the chosen one is validated when the study is loaded.
"""
