"""Hashes of segments: one per file behind one protocol (spec C4; paper, section 3.2.3 and algorithm 1).

blake3 is cryptographic: equal digests mean equal content. xxh3 and modular are not: whoever finds equal digests of
theirs compares the content before believing it.
"""
